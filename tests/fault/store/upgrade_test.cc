// R16: a build of today opens what the first version wrote, and is killed, or the power goes, while it moves the runs
// to where it keeps them; again and again, until it comes through. Then all runs are there, once, and the sums are
// theirs.
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/answers.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/old_store.h"
#include "tests/fault/store/past.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

using aggregator::MemoryStore;
using aggregator::Run;
using aggregator::SqliteOptions;
using aggregator::Store;

constexpr std::uint32_t kRuns = 10'000;  // more than are moved at once
constexpr std::size_t kSettleRuns = 1'500;
constexpr int kTriesMax = 1'000;

std::vector<Run> history(std::uint64_t seed) {
  const Past past(seed);
  std::vector<Run> runs;
  for (std::uint32_t number = 0; number < kRuns; ++number) {
    Run run = number % 50 == 0 ? past.begun(number) : number % 31 == 0 ? past.presumed(number) : past.ended(number);
    runs.push_back(number % 20 == 0 ? Past::noted(run, 2) : run);
  }
  return runs;
}

void compare(Store& store, const std::vector<Run>& runs, Faults& faults) {
  MemoryStore model;
  if (!model.commit(runs, 0).ok()) faults.push_back("the model refuses a commit");
  if (runs_of(store, faults) != runs_of(model, faults)) faults.push_back("other runs than those of the older store");
  compare_sums(store, model, faults);
  compare_heads(store, model, faults);
  verify(store, faults);
}

// Opens the store in a process of its own, and kills that after `delay`. True if it was through by then.
bool upgrades_before(const std::string& path, std::chrono::microseconds delay) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto store = aggregator::open_sqlite(path, {.settle_runs = kSettleRuns});
    const bool opened = store.ok();
    if (opened) store->reset();
    ::_exit(opened ? 0 : 1);
  }
  std::this_thread::sleep_for(delay);  // the moment of the fault
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
  return WIFEXITED(status);
}

TEST_CASE("R16: an upgrade that is killed again and again comes through with all runs") {
  Scenario scenario("R16, kills");
  const tests::TempDir dir;
  const std::string path = dir / "runs.db";
  const int rounds = scaled(8);
  int kills = 0;
  Faults faults;
  for (int round = 0; round < rounds; ++round) {
    for (const char* const part : {"", "-wal", "-shm"}) std::filesystem::remove(path + part);
    const std::vector<Run> runs = history(scenario.seed() + static_cast<std::uint64_t>(round));
    REQUIRE(write_old_store(path, {}, runs));
    // Longer and longer, lest a slow machine never comes through.
    for (int tries = 0; tries < kTriesMax; ++tries) {
      const std::uint64_t longest = 40'000 + 8'000 * static_cast<std::uint64_t>(tries);
      if (upgrades_before(path, std::chrono::microseconds(scenario.random(longest)))) break;
      ++kills;
    }
    auto store = aggregator::open_sqlite(path, {.settle_runs = kSettleRuns});
    if (!store.ok()) {
      faults.push_back(store.status().ToString());
      break;
    }
    compare(**store, runs, faults);
    check_integrity(path, {}, faults);
  }
  scenario.report(std::to_string(rounds) + " upgrades of " + std::to_string(kRuns) + " runs, " + std::to_string(kills) +
                  " kills");
  require_none(scenario, faults);
}

TEST_CASE("R16: an upgrade under which the power goes comes through with all runs") {
  Scenario scenario("R16, power");
  const tests::TempDir dir;
  const std::string path = dir / "runs.db";
  Disk disk("klepto-upgrade");
  const SqliteOptions options{.vfs = disk.vfs(), .settle_runs = kSettleRuns, .readers = 2};
  const int rounds = scaled(30);
  int cuts = 0;
  Faults faults;
  for (int round = 0; round < rounds && faults.empty(); ++round) {
    disk.format(scenario.seed() + static_cast<std::uint64_t>(round));
    const std::vector<Run> runs = history(scenario.seed() + static_cast<std::uint64_t>(round));
    REQUIRE(write_old_store(path, disk.vfs(), runs));
    std::unique_ptr<Store> store;
    for (std::uint64_t tries = 0; tries < kTriesMax && store == nullptr; ++tries) {
      disk.lose_power_after(scenario.random(600 * (tries + 1)), tries % 4 == 3);
      auto opened = aggregator::open_sqlite(path, options);
      if (opened.ok() && disk.on()) {
        disk.be_good();
        store = *std::move(opened);
        continue;
      }
      if (disk.on()) faults.push_back(opened.status().ToString());
      disk.lose_power();
      if (opened.ok()) opened->reset();
      disk.restart(Disk::After::kPowerLoss);
      ++cuts;
    }
    if (store != nullptr) compare(*store, runs, faults);
    check_integrity(path, disk.vfs(), faults);
  }
  scenario.report(std::to_string(rounds) + " upgrades of " + std::to_string(kRuns) + " runs, " + std::to_string(cuts) +
                  " losses of power");
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
