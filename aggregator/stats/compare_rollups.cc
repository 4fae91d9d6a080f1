#include "aggregator/stats/compare_rollups.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace kleptometrics::aggregator::stats {
namespace {

using Kind = Measure::Kind;
using Parts = RollupSide::Parts;

const std::vector<State> kSuccess = {State::kSucceeded};

// What succeeded of it, alone.
Stats stats_of(const Rollup& rollup) {
  Rollup succeeded;
  succeeded.of(State::kSucceeded) = rollup.of(State::kSucceeded);
  return stats::stats_of(succeeded, kSuccess);
}

std::optional<RankTest> test_of(const Rollup& window, const Rollup& baseline) {
  return mann_whitney(window.of(State::kSucceeded).values.sketch, baseline.of(State::kSucceeded).values.sketch);
}

const Rollup& part_of(const Parts& parts, const std::string& name) {
  static const Rollup none;
  const auto found = parts.find(name);
  return found == parts.end() ? none : found->second;
}

Difference difference(std::string step, const Rollup& window, const Rollup& baseline, const Measure& measure) {
  return difference_between(std::move(step), stats_of(window), stats_of(baseline), test_of(window, baseline),
                            std::nullopt, measure);
}

Middle middle_of(const Rollup& rollup) {
  const Stats stats = stats_of(rollup);
  return {stats.count, stats.median};
}

std::vector<Difference> step_differences(const Parts& window, const Parts& baseline, const Measure& measure) {
  std::set<std::string> names;
  for (const Parts* parts : {&window, &baseline}) {
    for (const auto& [name, rollup] : *parts) names.insert(name);
  }
  std::vector<Difference> out;
  for (const std::string& name : names) {
    Difference step = difference(name, part_of(window, name), part_of(baseline, name), measure);
    if (step.window.count + step.baseline.count > 0) out.push_back(std::move(step));
  }
  return out;
}

Series step_series(const std::string& name) {
  Series series;
  series.step = name;
  return series;
}

Series counter_series(Kind kind, const std::string& name) {
  Series series;
  series.measure.kind = kind;
  series.measure.counter = name;
  return series;
}

std::vector<PerCounter> per_counters(const RollupSide& window, const RollupSide& baseline) {
  std::vector<PerCounter> out;
  for (const auto& [name, per] : window.per_counters) {
    const Rollup& theirs = part_of(baseline.per_counters, name);
    const auto counted =
        ratio_of(middle_of(part_of(window.counters, name)).median, middle_of(part_of(baseline.counters, name)).median);
    out.push_back(per_counter(name, middle_of(per), middle_of(theirs), test_of(per, theirs), counted));
  }
  return out;
}

}  // namespace

void RollupSide::name_parts(const Run& run) {
  for (const Step& step : run.steps) steps.try_emplace(step.name);
  for (const auto& [name, value] : run.counters) {
    counters.try_emplace(name);
    per_counters.try_emplace(name);
  }
}

void RollupSide::add(const Run& run, const Series& series) {
  if (run.state != State::kSucceeded) return;
  whole.add(run, series);
  if (!series.durations()) return;
  for (const Step& step : run.steps) steps[step.name].measure(run, step_series(step.name));
  for (const auto& [name, value] : run.counters) {
    counters[name].measure(run, counter_series(Kind::kCounter, name));
    per_counters[name].measure(run, counter_series(Kind::kSecondsPer, name));
  }
}

Comparison compare_rollups(const RollupSide& window, const RollupSide& baseline, const Series& series) {
  Difference total = difference(series.step, window.whole, baseline.whole, series.measure);
  total.window.rounded = window.rounded;
  total.baseline.rounded = baseline.rounded;
  if (!series.durations()) return concluded(std::move(total), {}, {});
  auto steps = step_differences(window.steps, baseline.steps, series.measure);
  for (Difference& step : steps) {
    step.window.rounded = window.parts_rounded;
    step.baseline.rounded = baseline.parts_rounded;
  }
  return concluded(std::move(total), std::move(steps), per_counters(window, baseline));
}

}  // namespace kleptometrics::aggregator::stats
