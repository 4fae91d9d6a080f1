// The watcher over real journals, left behind by real processes that are gone.
#include "aggregator/watch/spool_watcher.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aggregator/ingest/committer.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "aggregator/wire/wire.h"
#include "lib/base/uuid.h"
#include "lib/journal/journal.h"
#include "tests/fakes/clock.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kStarted = 1'699'999'000 * kNanosPerSecond;

Run snapshot(int number, State state) {
  Run run;
  run.id = *Uuid::parse("01890000-0000-7000-8000-00000000000" + std::to_string(number));
  run.job = "job";
  run.state = state;
  run.revision = 1;
  run.started_at = kStarted;
  run.counters["rows"] = 7;
  if (terminal(state)) {
    run.duration = 5 * kNanosPerSecond;
    run.finished_at = kStarted + *run.duration;
  }
  return run;
}

struct Spool {
  tests::TempDir dir;
  fakes::FakeClock clock;
  std::unique_ptr<Store> store = *open_store("memory:");
  std::unique_ptr<Committer> committer = *Committer::create(*store, clock, {});
  SpoolWatcher watcher{dir.path(), *committer, clock};

  Spool() { committer->start(); }

  // A program that records `runs` and then waits to be told to die; its pid.
  pid_t start_program(const std::vector<Run>& runs, const std::function<void(journal::Writer&)>& more = {}) {
    int started[2];
    REQUIRE(::pipe(started) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(started[0]);
      std::string error;
      const auto writer = journal::Writer::open({.directory = dir.path(), .bytes = 64U << 10U}, &error);
      for (const Run& run : runs) writer->append(wire::encode_run(run), terminal(run.state), 0);
      if (more) more(*writer);
      ::close(started[1]);
      ::pause();
      ::_exit(0);
    }
    ::close(started[1]);
    char byte = 0;
    while (::read(started[0], &byte, 1) > 0) {
    }
    ::close(started[0]);
    return child;
  }

  void kill(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }

  void ran_and_died(const std::vector<Run>& runs) { kill(start_program(runs)); }

  std::size_t journals() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      count += entry.path().extension() == journal::kSuffix ? 1U : 0U;
    return count;
  }

  Run stored(int number) { return store->run(snapshot(number, State::kRunning).id)->value(); }
};

}  // namespace

TEST_CASE("an empty or missing spool is no trouble") {
  Spool spool;
  CHECK(spool.watcher.scan_once() == 0);
  SpoolWatcher nowhere(spool.dir / "missing", *spool.committer, spool.clock);
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
  const pid_t program = spool.start_program({snapshot(1, State::kRunning)});
  CHECK(spool.watcher.scan_once() == 0);
  CHECK_FALSE(spool.store->run(snapshot(1, State::kRunning).id)->has_value());
  CHECK(spool.journals() == 1);
  spool.kill(program);
  CHECK(spool.watcher.scan_once() == 1);
}

TEST_CASE("a living program that closed all its descriptors is still alive") {
  Spool spool;
  const pid_t program = spool.start_program({snapshot(1, State::kRunning)}, [](journal::Writer&) {
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
  });
  CHECK(spool.watcher.scan_once() == 0);
  spool.kill(program);
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
  CHECK_FALSE(spool.store->run(snapshot(1, State::kRunning).id)->has_value());
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

TEST_CASE("the thread of the watcher looks by itself and stops when asked") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kSucceeded)});
  spool.watcher.start();
  while (spool.journals() != 0) ::usleep(1000);  // bounded by the test's time limit
  spool.watcher.stop();
  CHECK(spool.stored(1).state == State::kSucceeded);
}

}  // namespace kleptometrics::aggregator
