// R7: every run is sent two to ten times, in any order, in pushes of any size. The statistics are those of a store to
// which each was given once. The control, resends that the store cannot know for what they are, must be found out.
#include <algorithm>
#include <random>
#include <vector>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/fakes/runs.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/answers.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/past.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

using aggregator::MemoryStore;
using aggregator::Run;
using aggregator::Store;

constexpr std::size_t kBatchMax = 2'000;
constexpr std::size_t kSettleRuns = 8'000;

// Numbers of runs, each two to ten times, in any order.
std::vector<std::uint32_t> sends(std::uint32_t runs, Scenario& scenario) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t number = 0; number < runs; ++number) all.insert(all.end(), 2 + scenario.random(9), number);
  std::shuffle(all.begin(), all.end(), std::mt19937_64(scenario.seed()));
  return all;
}

// Some of the times the news is old. Of each run at least the last send tells how it ended.
Run told_of(const Past& past, std::uint32_t number, bool last, Scenario& scenario) {
  return !last && scenario.random(4) == 0 ? past.begun(number) : past.ended(number);
}

// `forgetful`: from the second time on a run comes under another id.
bool send_all(Store& store, const std::vector<std::uint32_t>& all, const Past& past, bool forgetful,
              Scenario& scenario) {
  std::vector<int> left;
  for (const std::uint32_t number : all) {
    if (left.size() <= number) left.resize(number + 1);
    ++left[number];
  }
  const std::vector<int> times = left;
  for (std::size_t at = 0; at < all.size();) {
    std::vector<Run> batch;
    for (std::size_t size = 1 + scenario.random(kBatchMax); at < all.size() && batch.size() < size; ++at) {
      const std::uint32_t number = all[at];
      batch.push_back(told_of(past, number, left[number] == 1, scenario));
      if (forgetful && left[number] != times[number]) batch.back().id = id_of(~scenario.seed(), at);
      --left[number];
    }
    if (!store.commit(std::move(batch), fakes::kStart).ok()) return false;
  }
  return true;
}

bool send_once(Store& store, std::uint32_t runs, const Past& past) {
  std::vector<Run> all;
  for (std::uint32_t number = 0; number < runs; ++number) all.push_back(past.ended(number));
  return store.commit(std::move(all), fakes::kStart).ok();
}

struct Outcome {
  Faults faults;
  std::size_t sent = 0;
};

Outcome play(std::uint32_t runs, bool forgetful, Scenario& scenario) {
  Outcome out;
  const tests::TempDir dir;
  Disk disk("klepto-resend");
  disk.format(scenario.seed());
  auto store = aggregator::open_sqlite(dir / "runs.db", {.vfs = disk.vfs(), .settle_runs = kSettleRuns});
  REQUIRE(store.ok());
  const Past past(scenario.seed());
  const std::vector<std::uint32_t> all = sends(runs, scenario);
  out.sent = all.size();
  MemoryStore model;
  REQUIRE(send_all(**store, all, past, forgetful, scenario));
  REQUIRE(send_once(model, runs, past));
  compare_sums(**store, model, out.faults);
  if (forgetful) return out;
  if (runs_of(**store, out.faults) != runs_of(model, out.faults)) out.faults.emplace_back("other runs");
  compare_heads(**store, model, out.faults);
  verify(**store, out.faults);
  return out;
}

TEST_CASE("R7: 100,000 runs that are sent two to ten times each, in any order, count once") {
  Scenario scenario("R7");
  const auto runs = static_cast<std::uint32_t>(scaled(100'000));
  const Outcome out = play(runs, false, scenario);
  scenario.report(std::to_string(runs) + " runs, " + std::to_string(out.sent) + " sends");
  require_none(scenario, out.faults);
}

TEST_CASE("R19: a store that cannot tell a resend from another run fails R7") {
  Scenario scenario("R19, no de-duplication");
  const Outcome out = play(2'000, true, scenario);
  scenario.report(std::to_string(out.faults.size()) + " faults seen");
  INFO(scenario.label());
  REQUIRE_FALSE(out.faults.empty());
}

}  // namespace
}  // namespace kleptometrics::fault
