// The fleet: sidecars forward to centres while all of them, and the server of the store that centres share, are killed
// in turn, under load. In the end the centres have the runs of all sidecars, once, and their statistics are those of
// the union, to the byte of a sketch.
#include <deque>
#include <memory>
#include <optional>

#include "aggregator/model/forwarded.h"
#include "aggregator/store/memory_store.h"
#include "tests/fault/kill/reporters.h"
#include "tests/fault/kill/truth.h"
#include "tests/fault/store/answers.h"
#include "tests/support/postgres_server.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using aggregator::Store;
using tests::Daemon;
using tests::PostgresServer;

constexpr std::chrono::milliseconds kLongestLife(60);

struct Plan {
  std::size_t sidecars = 2;
  std::size_t centres = 1;  // sidecar i forwards to centre i modulo these
  bool shared = false;  // they keep their runs in one PostgreSQL, which is killed too; else there is one, with SQLite
  std::uint64_t kills = 0;  // of each
  std::uint64_t chunk = 0;  // runs of a sidecar between two kills
  std::uint64_t of_each() const { return kills * chunk; }
  std::uint64_t runs() const { return of_each() * sidecars; }  // without those of the chunks
};

std::string metric(const Daemon& daemon, const std::string& name) {
  const std::string all = daemon.get("/metrics").body;
  const std::string head = "\nkleptometrics_" + name + " ";
  const std::size_t at = all.find(head);
  return at == std::string::npos ? "" : all.substr(at + head.size(), all.find('\n', at + 1) - at - head.size());
}

class Fleet {
 public:
  Fleet(std::uint64_t seed, const Plan& plan) {
    std::vector<std::string> flags;
    if (plan.shared) {
      server.emplace(PostgresServer::Options{.durable = true});
      store = server->fresh_url();
      flags.push_back("--store=" + store);
    }
    for (std::size_t i = 0; i < plan.centres; ++i) centres.emplace_back(flags);
    if (!plan.shared) store = centres.front().store();
    for (std::size_t i = 0; i < plan.sidecars; ++i)
      sidecars.emplace_back(std::vector<std::string>{"--forward=" + centres[i % plan.centres].endpoint()});
    for (std::size_t i = 0; i < plan.sidecars; ++i)
      reporters.emplace_back(sidecars[i], seed, i * plan.of_each(), (i + 1) * plan.of_each(), plan.chunk);
  }

  // In turn, each a random time after it was ready, but for every third, which dies while it starts.
  void strike(Scenario& scenario, const Plan& plan, Faults& faults) {
    for (std::uint64_t kill = 0; kill < plan.kills; ++kill) {
      for (const PastReporter& reporter : reporters) reporter.go_on();
      for (Daemon* const each : all()) {
        scenario.wait_within(kLongestLife);
        each->kill();
        each->launch();
        // An aggregator that finds no server ends, for whoever started it to try again.
        const bool in_peace = server || kill % 3 != 2 || kill + 1 == plan.kills;
        if (in_peace && !each->await_ready()) return faults.push_back("an aggregator does not start: " + each->log());
      }
      if (!server) continue;
      scenario.wait_within(kLongestLife);
      server->kill();
      scenario.wait_within(kLongestLife);
      server->start();
    }
  }

  void finish(Faults& faults) {
    for (PastReporter& reporter : reporters)
      if (!reporter.finish()) faults.push_back("a reporter did not deliver all: " + reporter.said());
    for (const Daemon& sidecar : sidecars) {
      const auto passed_on = [&] { return metric(sidecar, "forward_waiting") == "0"; };
      for (int tries = 0; tries < 6 && !passed_on(); ++tries)
        sidecar.eventually("/api/v1/jobs", [&](const tests::Json&) { return passed_on(); });
      if (!passed_on()) faults.push_back("runs still wait in a sidecar: " + sidecar.log());
      if (metric(sidecar, "forward_rejected_total") != "0") faults.push_back("runs were refused: " + sidecar.log());
    }
  }

  std::optional<PostgresServer> server;
  std::string store;  // of the centres
  std::deque<Daemon> centres, sidecars;
  std::deque<PastReporter> reporters;

 private:
  std::vector<Daemon*> all() {
    std::vector<Daemon*> all;
    for (Daemon& sidecar : sidecars) all.push_back(&sidecar);
    for (Daemon& centre : centres) all.push_back(&centre);
    return all;
  }
};

std::vector<PastRun> all_of(std::uint64_t seed, const Plan& plan) {
  std::vector<PastRun> out;
  for (std::uint64_t number = 0; number < plan.runs(); ++number) out.emplace_back(seed, number);
  return out;
}

// What the sidecars have, in one store that nobody disturbs, as it is passed on.
void unite(Fleet& fleet, Store& united, std::uint64_t seed, const Plan& plan, Faults& faults) {
  Runs stored;
  for (Daemon& sidecar : fleet.sidecars) stored.merge(stored_by(sidecar, faults));
  for (const PastRun& past : all_of(seed, plan)) {
    const auto found = stored.find(past.id);
    if (found == stored.end()) {
      faults.push_back(past.id.text() + " is lost");
    } else {
      compare(found->second, past, faults);
    }
  }
  std::vector<Run> runs;
  for (auto& [id, run] : stored) {
    mark_forwarded(run);
    runs.push_back(std::move(run));
  }
  if (!united.commit(std::move(runs), 0).ok()) faults.emplace_back("what the sidecars have cannot be united");
}

void compare_with_store(const std::string& url, Store& united, Faults& faults) {
  const auto store = aggregator::open_store(url);
  if (!store.ok()) return faults.push_back(store.status().ToString());
  compare_sums(**store, united, faults);
  if (runs_of(**store, faults) != runs_of(united, faults))
    faults.emplace_back("the centre has other runs than the sidecars");
  verify(**store, faults);
}

Faults outcome(Scenario& scenario, const Plan& plan) {
  Faults faults;
  Fleet fleet(scenario.seed(), plan);
  fleet.strike(scenario, plan, faults);
  if (faults.empty()) fleet.finish(faults);
  scenario.report(std::to_string(plan.kills * (plan.sidecars + plan.centres + (plan.shared ? 1 : 0))) + " kills, " +
                  std::to_string(plan.runs()) + " runs of " + std::to_string(plan.sidecars) + " sidecars to " +
                  std::to_string(plan.centres) + " centres");
  if (!faults.empty()) return faults;
  for (const Daemon& centre : fleet.centres) compare_statistics(centre, all_of(scenario.seed(), plan), faults);
  aggregator::MemoryStore united;
  unite(fleet, united, scenario.seed(), plan, faults);
  for (Daemon& centre : fleet.centres)
    if (const int code = centre.terminate(); code != 0)
      faults.push_back("a centre ended with " + std::to_string(code) + ": " + centre.log());
  compare_with_store(fleet.store, united, faults);
  return faults;
}

TEST_CASE(
    "sidecars forward to a centre while all are killed in turn: it has the union of them, to the byte of a sketch") {
  Scenario scenario("fleet");
  const Plan plan{.kills = static_cast<std::uint64_t>(scaled(40)), .chunk = 500};
  const Faults faults = outcome(scenario, plan);
  require_none(scenario, faults);
}

TEST_CASE("R18: three sidecars forward to two centres that share a PostgreSQL while all of them are killed in turn") {
  if (PostgresServer::programs().empty()) {
    std::cout << "SKIPPED: postgresql-15 is not installed" << std::endl;
    return;
  }
  Scenario scenario("fleet on PostgreSQL");
  const Plan plan{
      .sidecars = 3, .centres = 2, .shared = true, .kills = static_cast<std::uint64_t>(scaled(20)), .chunk = 5'000};
  const Faults faults = outcome(scenario, plan);
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
