// R7: every run is sent two to ten times, in any order, in pushes of any size. The statistics are those of a store to
// which each was given once. The control, resends that the store cannot know for what they are, must be found out.
#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "aggregator/store/memory_store.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/e2e/daemon.h"
#include "tests/fakes/runs.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/answers.h"
#include "tests/fault/store/disk.h"
#include "tests/fault/store/past.h"
#include "tests/fault/store/push.h"
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
std::vector<std::vector<Run>> batches_of(const std::vector<std::uint32_t>& all, const Past& past, bool forgetful,
                                         std::size_t most, Scenario& scenario) {
  std::vector<std::vector<Run>> batches;
  std::vector<int> left;
  for (const std::uint32_t number : all) {
    if (left.size() <= number) left.resize(number + 1);
    ++left[number];
  }
  const std::vector<int> times = left;
  for (std::size_t at = 0; at < all.size();) {
    std::vector<Run>& batch = batches.emplace_back();
    for (std::size_t size = 1 + scenario.random(most); at < all.size() && batch.size() < size; ++at) {
      const std::uint32_t number = all[at];
      batch.push_back(told_of(past, number, left[number] == 1, scenario));
      if (forgetful && left[number] != times[number]) batch.back().id = id_of(~scenario.seed(), at);
      --left[number];
    }
  }
  return batches;
}

bool send_once(Store& store, std::uint32_t runs, const Past& past) {
  std::vector<Run> all;
  for (std::uint32_t number = 0; number < runs; ++number) all.push_back(past.ended(number));
  return store.commit(std::move(all), fakes::kStart).ok();
}

void compare(Store& store, Store& model, Faults& faults) {
  compare_sums(store, model, faults);
  if (runs_of(store, faults) != runs_of(model, faults)) faults.emplace_back("other runs");
  compare_heads(store, model, faults);
  verify(store, faults);
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
  for (std::vector<Run>& batch : batches_of(all, past, forgetful, kBatchMax, scenario))
    REQUIRE((*store)->commit(std::move(batch), fakes::kStart).ok());
  REQUIRE(send_once(model, runs, past));
  compare(**store, model, out.faults);
  return out;
}

TEST_CASE("R7: 100,000 runs that are sent two to ten times each, in any order, count once") {
  Scenario scenario("R7");
  const auto runs = static_cast<std::uint32_t>(scaled(100'000));
  const Outcome out = play(runs, false, scenario);
  scenario.report(std::to_string(runs) + " runs, " + std::to_string(out.sent) + " sends");
  require_none(scenario, out.faults);
}

// The pushes of several clients at once, each repeated until it is answered.
void push_all(const tests::Daemon& daemon, const std::vector<std::vector<Run>>& batches) {
  constexpr int kConnections = 4;
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.emplace_back([&] {
      for (std::size_t at = next++; at < batches.size(); at = next++) {
        const std::string body = push_of(batches[at]);
        for (int tries = 0; tries < 100; ++tries)
          if (daemon.send("POST", "/api/v1/runs", body, "application/x-protobuf").status == 200) break;
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST_CASE("R7: resends over four connections to an aggregator count once") {
  Scenario scenario("R7, aggregator");
  const auto runs = static_cast<std::uint32_t>(scaled(10'000));
  const Past past(scenario.seed());
  const std::vector<std::uint32_t> all = sends(runs, scenario);
  tests::Daemon daemon;
  push_all(daemon, batches_of(all, past, false, 500, scenario));
  Faults faults;
  if (const int code = daemon.terminate(); code != 0) faults.push_back("the aggregator ended with " + daemon.log());
  const auto store = aggregator::open_store("sqlite:" + daemon.dir() / "runs.db");
  REQUIRE(store.ok());
  MemoryStore model;
  REQUIRE(send_once(model, runs, past));
  compare(**store, model, faults);
  scenario.report(std::to_string(runs) + " runs, " + std::to_string(all.size()) + " sends");
  require_none(scenario, faults);
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
