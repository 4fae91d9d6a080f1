// The watcher over real journals, left behind by real processes that are gone: what one look at them comes to.
#include "aggregator/watch/spool_watcher.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/aggregator/watch/spool.h"

namespace kleptometrics::aggregator {
namespace {

TEST_CASE("an empty or missing spool is no trouble") {
  Spool spool;
  CHECK(spool.watcher.scan_once() == 0);
  SpoolWatcher nowhere(spool.dir / "missing", *spool.store, *spool.committer, spool.clock);
  CHECK(nowhere.scan_once() == 0);
}

TEST_CASE("what a dead program recorded is committed as it stands, and its journal is removed") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kSucceeded), snapshot(2, State::kFailed)});
  CHECK(spool.watcher.scan_once() == 1);
  CHECK(spool.stored(1) == snapshot(1, State::kSucceeded));
  CHECK(spool.stored(2).state == State::kFailed);
  CHECK(spool.journals() == 0);
}

TEST_CASE("a run that a dead program left open is crashed, with all that was known of it") {
  Spool spool;
  spool.watcher.scan_once();
  spool.ran_and_died({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  const Run run = spool.stored(1);
  CHECK(run.state == State::kCrashed);
  CHECK(run.verdict);
  CHECK(run.failure->kind == FailureKind::kLost);
  CHECK(run.counters.at("rows") == 7);
  CHECK(run.finished_at == spool.clock.now().wall);
  CHECK(run.duration == spool.clock.now().wall - kStarted);
}

TEST_CASE("of a program that died while no aggregator ran nobody knows when") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK_FALSE(spool.stored(1).finished_at);
  CHECK_FALSE(spool.stored(1).duration);
}

TEST_CASE("the journal of a living program is left alone") {
  Spool spool;
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  CHECK(spool.watcher.scan_once() == 0);
  CHECK_FALSE(spool.knows(1));
  CHECK(spool.journals() == 1);
  program.kill();
  CHECK(spool.watcher.scan_once() == 1);
}

TEST_CASE("a living program that closed all its descriptors is still alive") {
  Spool spool;
  const Child program = spool.start_program({snapshot(1, State::kRunning)}, [&](journal::Writer& writer) {
    std::error_code ignored;
    const std::string path = writer.path();
    for (int fd = 3; fd < 256; ++fd)
      if (std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored) == path) ::close(fd);
  });
  CHECK(spool.watcher.scan_once() == 0);
  CHECK(spool.watcher.watched() == 1);
}

TEST_CASE("a reporter that turns out to be alive after all overrules the verdict") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  const auto outcomes = spool.committer->submit({ApplySnapshot{snapshot(1, State::kSucceeded)}});
  CHECK(outcomes->front().kind == Outcome::Kind::kAccepted);
  CHECK(spool.stored(1).state == State::kSucceeded);
}

TEST_CASE("a journal that cannot be committed now stays for the next look") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kSucceeded)});
  spool.committer->stop();
  CHECK(spool.watcher.scan_once() == 0);
  CHECK(spool.journals() == 1);
}

TEST_CASE("damage costs the records it hits, and what is no journal is left where it is") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kSucceeded), snapshot(2, State::kSucceeded)});
  for (const auto& entry : std::filesystem::directory_iterator(spool.dir.path())) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(journal::kHeadBytes + journal::kRecordHeadBytes + 3));
    file.put('\x7f');
  }
  std::ofstream(spool.dir / "notes.txt") << "not ours";
  CHECK(spool.watcher.scan_once() == 1);
  CHECK_FALSE(spool.knows(1));
  CHECK(spool.stored(2).state == State::kSucceeded);
  CHECK(std::filesystem::exists(spool.dir / "notes.txt"));
}

TEST_CASE("a symbolic link in the spool is not followed") {
  Spool spool;
  const tests::TempDir elsewhere;
  std::ofstream(elsewhere / "secret") << "x";
  std::filesystem::create_symlink(elsewhere / "secret", spool.dir / ("link" + std::string(journal::kSuffix)));
  CHECK(spool.watcher.scan_once() == 0);
  CHECK(std::filesystem::exists(elsewhere / "secret"));
}

TEST_CASE("the file of a program that was killed while it made its journal is cleared away after a minute") {
  Spool spool;
  const std::string path = spool.dir / ("x" + std::string(journal::kNewSuffix));
  std::ofstream(path) << "half";
  spool.clock.wall = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  spool.watcher.scan_once();
  CHECK(std::filesystem::exists(path));
  spool.clock.advance(61 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the watcher adopts what the spool has before it starts its thread, which then sees programs die by itself") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kSucceeded)});
  Child program = spool.start_program({snapshot(2, State::kRunning)});
  spool.watcher.start();
  CHECK(spool.stored(1).state == State::kSucceeded);
  program.kill();
  while (!spool.knows(2) || spool.stored(2).state != State::kCrashed)
    ::usleep(1000);  // bounded by the test's time limit
  spool.watcher.stop();
  CHECK(spool.journals() == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator
