// The fleet: sidecars forward to centres while all of them are killed in turn, under load. In the end a centre has the
// runs of all sidecars, once, and its statistics are those of the union, to the byte of a sketch.
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <tuple>

#include "aggregator/model/forwarded.h"
#include "aggregator/store/store.h"
#include "tests/fault/kill/reporters.h"
#include "tests/fault/kill/truth.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using aggregator::Stretch;
using aggregator::stats::Resolution;
using aggregator::stats::Rollup;
using aggregator::stats::Series;
using tests::Daemon;

constexpr std::chrono::milliseconds kLongestLife(60);

struct Plan {
  std::size_t sidecars = 2;
  std::size_t centres = 1;     // of one store; sidecar i forwards to centre i modulo these
  std::string centre_store{};  // URL; empty: SQLite, of a single centre's own
  std::uint64_t kills = 0;     // in turn: each sidecar, each centre
  std::uint64_t chunk = 0;     // runs of a sidecar between two kills
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
    if (!plan.centre_store.empty()) flags.push_back("--store=" + plan.centre_store);
    for (std::size_t i = 0; i < plan.centres; ++i) centres.emplace_back(flags);
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
        if ((kill % 3 != 2 || kill + 1 == plan.kills) && !each->await_ready())
          return faults.push_back("an aggregator does not start: " + each->log());
      }
    }
  }

  void finish(Faults& faults) {
    for (PastReporter& reporter : reporters)
      if (!reporter.finish()) faults.push_back("a reporter did not deliver all: " + reporter.said());
    for (const Daemon& sidecar : sidecars) {
      sidecar.eventually("/api/v1/jobs", [&](const tests::Json&) { return metric(sidecar, "forward_waiting") == "0"; });
      if (metric(sidecar, "forward_waiting") != "0") faults.push_back("runs still wait in a sidecar: " + sidecar.log());
      if (metric(sidecar, "forward_rejected_total") != "0") faults.push_back("runs were refused: " + sidecar.log());
    }
  }

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

// Everything that stores add up to, of the history's jobs, by series, resolution and time.
class Sums final : public aggregator::Pieces {
 public:
  void add(const std::string& url, Faults& faults) {
    auto store = aggregator::open_store(url);
    if (!store.ok()) return faults.push_back(store.status().ToString());
    for (const Series& series : {Series{}, *aggregator::stats::series_named("counter:rows")}) {
      for (const auto by : {Stretch::By::kHour, Stretch::By::kDay, Stretch::By::kAll}) {
        resolution_ = by == Stretch::By::kHour  ? Resolution::kHour
                      : by == Stretch::By::kDay ? Resolution::kDay
                                                : Resolution::kAll;
        if (!kept_by(resolution_, series)) continue;
        series_ = series;
        const auto status = (*store)->summarize({.series = series, .stretches = {{.by = by}}}, *this);
        if (!status.ok()) faults.push_back(status.ToString());
      }
    }
  }
  void rollup(const std::string& job, Nanos start, const Series& series, const Rollup& piece) override {
    if (series == series_) at(job, start).merge(piece);
  }
  // Of other series than durations only the latter count runs.
  void run(const Run& run) override {
    Rollup one;
    if (series_.durations()) one.count(run);
    one.measure(run, series_);
    if (!one.empty()) at(run.job, start_of(run.started_at, resolution_)).merge(one);
  }

  // Counts and sums, lows and highs, and the sketches: all but the deviations of numbers, which round.
  void compare_with(const Sums& other, Faults& faults) const {
    if (sums_.empty() || sums_.size() != other.sums_.size())
      faults.push_back("there are no sums, or of other hours, days or jobs");
    for (const auto& [key, sum] : sums_) {
      const auto found = other.sums_.find(key);
      if (found == other.sums_.end() || !same(sum, found->second))
        faults.push_back("the sums of job " + std::get<0>(key) + " by " + std::get<1>(key) + " differ");
    }
  }

 private:
  static bool same(const Rollup& a, const Rollup& b) {
    for (std::size_t i = 0; i < a.outcomes.size(); ++i) {
      const auto& x = a.outcomes[i];
      const auto& y = b.outcomes[i];
      if (x.runs != y.runs || x.late != y.late || x.values.count != y.values.count ||
          x.values.times != y.values.times || !(x.values.sketch == y.values.sketch))
        return false;
      if (x.values.count != 0 && (!(x.values.low == y.values.low) || !(x.values.high == y.values.high))) return false;
    }
    return true;
  }
  Rollup& at(const std::string& job, Nanos start) {
    return sums_[{job, text_of(series_), static_cast<int>(resolution_), start}];
  }

  Series series_;
  Resolution resolution_ = Resolution::kAll;
  std::map<std::tuple<std::string, std::string, int, Nanos>, Rollup> sums_;
};

std::vector<PastRun> all_of(std::uint64_t seed, const Plan& plan) {
  std::vector<PastRun> out;
  for (std::uint64_t number = 0; number < plan.runs(); ++number) out.emplace_back(seed, number);
  return out;
}

void compare_runs(const Runs& united, Runs at_centre, std::uint64_t seed, const Plan& plan, Faults& faults) {
  for (const PastRun& past : all_of(seed, plan)) {
    const auto found = at_centre.find(past.id);
    if (found == at_centre.end()) {
      faults.push_back(past.id.text() + " is lost");
    } else {
      compare(found->second, past, faults);
    }
  }
  for (const auto& [id, run] : united) {
    Run passed_on = run;
    mark_forwarded(passed_on);
    const auto found = at_centre.find(id);
    if (found == at_centre.end() || !(found->second == passed_on))
      faults.push_back(id.text() + " is at the centre otherwise than at its sidecar");
    if (found != at_centre.end()) at_centre.erase(found);
  }
  for (const auto& [id, run] : at_centre) faults.push_back(id.text() + " is at the centre, and at no sidecar");
}

// The centre's store is SQLite's, or is asked only over HTTP.
Faults outcome(Scenario& scenario, const Plan& plan) {
  Faults faults;
  Fleet fleet(scenario.seed(), plan);
  fleet.strike(scenario, plan, faults);
  if (faults.empty()) fleet.finish(faults);
  scenario.report(std::to_string(plan.kills * (plan.sidecars + plan.centres)) + " kills, " +
                  std::to_string(plan.runs()) + " runs of " + std::to_string(plan.sidecars) + " sidecars to " +
                  std::to_string(plan.centres) + " centres");
  if (!faults.empty()) return faults;
  for (const Daemon& centre : fleet.centres) compare_statistics(centre, all_of(scenario.seed(), plan), faults);
  Runs united;
  Sums of_sidecars, of_centre;
  for (Daemon& sidecar : fleet.sidecars) {
    united.merge(stored_by(sidecar, faults));
    of_sidecars.add("sqlite:" + sidecar.dir() / "runs.db", faults);
  }
  if (!plan.centre_store.empty()) return faults;
  Daemon& centre = fleet.centres.front();
  compare_runs(united, stored_by(centre, faults), scenario.seed(), plan, faults);
  of_centre.add("sqlite:" + centre.dir() / "runs.db", faults);
  of_sidecars.compare_with(of_centre, faults);
  return faults;
}

TEST_CASE(
    "sidecars forward to a centre while all are killed in turn: it has the union of them, to the byte of a sketch") {
  Scenario scenario("fleet");
  Plan plan{.kills = static_cast<std::uint64_t>(scaled(40)), .chunk = 500};
  const Faults faults = outcome(scenario, plan);
  require_none(scenario, faults);
}

}  // namespace
}  // namespace kleptometrics::fault
