// R7 on a store that is shared: every run is sent twice, to two aggregators, in orders of their own. The statistics are
// those of an SQLite store to which each was given once.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <random>
#include <thread>

#include "aggregator/store/store.h"
#include "tests/e2e/daemon.h"
#include "tests/fakes/runs.h"
#include "tests/fault/kill/scenario.h"
#include "tests/fault/store/answers.h"
#include "tests/fault/store/past.h"
#include "tests/fault/store/push.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using tests::Daemon;

constexpr std::size_t kBatch = 500;
constexpr int kConnections = 2;  // to each

// All of them in an order of this aggregator's own. One is told more often than the other how a run began, and then
// nothing of its end.
std::vector<std::vector<Run>> batches_for(std::uint64_t aggregator, std::uint32_t runs, std::uint64_t seed) {
  std::vector<std::uint32_t> order(runs);
  for (std::uint32_t i = 0; i < runs; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed + aggregator));
  const Past past(seed);
  std::vector<std::vector<Run>> batches;
  for (const std::uint32_t number : order) {
    if (batches.empty() || batches.back().size() == kBatch) batches.emplace_back();
    const bool begun = aggregator == 0 && drawn(seed, number) % 4 == 0;
    batches.back().push_back(begun ? past.begun(number) : past.ended(number));
  }
  return batches;
}

// Over some connections at once; true if every push was taken.
bool push_all(const Daemon& daemon, const std::vector<std::vector<Run>>& batches) {
  std::atomic<std::size_t> next{0}, taken{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.emplace_back([&] {
      for (std::size_t at = next++; at < batches.size(); at = next++) {
        const std::string body = push_of(batches[at]);
        for (int tries = 0; tries < 100; ++tries) {
          if (daemon.send("POST", "/api/v1/runs", body, "application/x-protobuf").status != 200) continue;
          ++taken;
          break;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  return taken == batches.size();
}

Faults outcome(const std::string& url, std::uint32_t runs, Scenario& scenario) {
  Faults faults;
  {
    Daemon one({"--store=" + url}), other({"--store=" + url});
    bool taken = false;
    std::thread beside([&] { taken = push_all(one, batches_for(0, runs, scenario.seed())); });
    if (!push_all(other, batches_for(1, runs, scenario.seed()))) faults.push_back("not taken: " + other.log());
    beside.join();
    if (!taken) faults.push_back("not taken: " + one.log());
    for (Daemon* const each : {&one, &other})
      if (each->terminate() != 0) faults.push_back("an aggregator did not end well: " + each->log());
  }
  const tests::TempDir dir;
  const auto store = aggregator::open_store(url);
  const auto model = aggregator::open_store("sqlite:" + dir / "runs.db");
  if (!store.ok() || !model.ok()) return {store.status().ToString()};
  std::vector<Run> all;
  for (std::uint32_t number = 0; number < runs; ++number) all.push_back(Past(scenario.seed()).ended(number));
  if (!(*model)->commit(std::move(all), fakes::kStart).ok()) return {"the undisturbed store takes nothing"};
  compare_sums(**store, **model, faults);
  if (runs_of(**store, faults) != runs_of(**model, faults)) faults.emplace_back("other runs");
  compare_heads(**store, **model, faults);
  verify(**store, faults);
  scenario.report(std::to_string(runs) + " runs, each to both of two aggregators");
  return faults;
}

template <typename Server>
void play(const char* package, std::uint32_t runs) {
  Server* const server = Server::shared();
  if (server == nullptr) {
    std::cout << "SKIPPED: " << package << " is not installed" << std::endl;
    return;
  }
  Scenario scenario(std::string("R7, two aggregators, ") + package);
  const Faults faults = outcome(server->fresh_url(), runs, scenario);
  require_none(scenario, faults);
}

TEST_CASE("R7: 100,000 runs that are each sent to both of two aggregators on one PostgreSQL count once") {
  play<tests::PostgresServer>("postgresql-15", static_cast<std::uint32_t>(scaled(100'000)));
}

TEST_CASE("R7: 20,000 runs that are each sent to both of two aggregators on one Redis count once") {
  play<tests::RedisServer>("redis-server", static_cast<std::uint32_t>(scaled(20'000)));
}

}  // namespace
}  // namespace kleptometrics::fault
