// Acknowledged means durable: a child commits in a loop and tells of every acknowledgement; it is killed at a
// random moment; everything it told of must be there.
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <thread>

#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

constexpr int kKills = 20;
constexpr std::uint32_t kBatch = 7;

// Runs of batch n, begun or ended.
std::vector<Run> batch(std::uint32_t n, bool ended) {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < kBatch; ++i) {
    Run run = started("job" + std::to_string(i), n * kBatch + i, kStart + seconds(n));
    runs.push_back(ended ? finished(run, seconds(1)) : run);
  }
  return runs;
}

// Begins batch n, ends batch n, says n; and so on. Never returns.
[[noreturn]] void commit_until_killed(const std::string& url, std::uint32_t n, int out) {
  auto store = open_store(url);
  if (store.ok() && !(*store)->keep_changes().ok()) ::_exit(4);
  for (; store.ok(); ++n) {
    for (const bool ended : {false, true}) {
      std::vector<Run> snapshots;
      for (const Run& run : batch(n, ended)) snapshots.push_back(run);
      if (!(*store)->commit(snapshots, 0).ok()) ::_exit(1);
    }
    if (::write(out, &n, sizeof n) != sizeof n) ::_exit(2);
  }
  ::_exit(3);
}

// Runs a child from batch `next` and kills it `delay` after its first word, or after its birth: while it
// opens the store. Returns the first batch not told of.
std::uint32_t kill_one(const std::string& url, std::uint32_t next, std::chrono::microseconds delay, bool at_birth) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) commit_until_killed(url, next, ends[1]);
  ::close(ends[1]);
  const auto strike = [&] {
    std::this_thread::sleep_for(delay);  // the moment of the fault
    REQUIRE(::kill(child, SIGKILL) == 0);
  };
  if (at_birth) strike();
  std::uint32_t told = 0;
  bool first = !at_birth;
  while (::read(ends[0], &told, sizeof told) == sizeof told) {
    REQUIRE(told == next);
    ++next;
    if (first) strike();
    first = false;
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  return next;
}

std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  std::string said;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  const auto keep = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0];
    return 0;
  };
  REQUIRE(sqlite3_exec(db, "PRAGMA integrity_check", keep, &said, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  return said;
}

TEST_CASE("everything acknowledged before a kill -9 is there after it") {
  const tests::TempDir folder;
  const std::string path = folder / "runs.db";
  const std::uint32_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::uint32_t next = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    CAPTURE(kill, next);
    next = kill_one("sqlite:" + path, next, std::chrono::microseconds(random() % 20'000), kill % 2 == 0);
    if (std::filesystem::exists(path)) REQUIRE(integrity(path) == "ok");
    const auto store = must(open_store("sqlite:" + path));
    std::uint32_t ended = 0;
    std::uint32_t all = 0;
    REQUIRE(store->scan({}, [&](const Run& run) { ++all, ended += terminal(run.state) ? 1 : 0; }).ok());
    // Whole commits only: those told of, and of the batch after them nothing, its start, or its end.
    REQUIRE(ended >= next * kBatch);
    REQUIRE(ended <= (next + 1) * kBatch);
    REQUIRE(ended % kBatch == 0);
    REQUIRE(all % kBatch == 0);
    REQUIRE(all <= (next + 1) * kBatch);
    REQUIRE(must(store->changes(1'000'000)).items.size() == all + ended);  // each was begun and ended
    for (std::uint32_t n = 0; n < next * kBatch; ++n) {
      const auto run = must(store->run(id_of(n)));
      REQUIRE(run);
      REQUIRE(*run == batch(n / kBatch, true)[n % kBatch]);
    }
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator
