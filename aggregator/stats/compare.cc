#include "aggregator/stats/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "aggregator/stats/explain.h"

namespace kleptometrics::aggregator::stats {
namespace {

Verdict verdict_of(const Middle& window, const Middle& baseline, const std::optional<RankTest>& test) {
  if (!test || window.count < kSampleMin || baseline.count < kSampleMin) return Verdict::kInsufficientData;
  if (!(test->p_value < kSignificance) || !changed_enough(*window.median, *baseline.median)) return Verdict::kUnchanged;
  // Ranks and medians may point to different sides; then neither is to be believed.
  const bool slower = test->probability_slower > 0.5;
  if (slower != (*window.median > *baseline.median)) return Verdict::kUnchanged;
  return slower ? Verdict::kSlower : Verdict::kFaster;
}

Middle middle_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  return {values.size(), median_of(values)};
}

}  // namespace

std::optional<double> ratio_of(std::optional<double> window, std::optional<double> baseline) {
  if (!window || !baseline || !(*baseline > 0)) return std::nullopt;
  const double quotient = *window / *baseline;
  if (!std::isfinite(quotient)) return std::nullopt;
  return quotient;
}

bool changed_enough(double window, double baseline) {
  constexpr double kRounding = 1e-9;  // 5 % of a number that has no exact double is 5 % all the same
  return window != baseline && std::abs(window - baseline) >= kChangeMin * std::abs(baseline) * (1 - kRounding);
}

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 4> kNames = {"slower", "faster", "unchanged", "insufficient_data"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

Difference difference_between(std::string step, Stats window, Stats baseline, const std::optional<RankTest>& test,
                              std::optional<double> shift, const Measure& measure) {
  Difference out;
  out.step = std::move(step);
  out.verdict = verdict_of({window.count, window.median}, {baseline.count, baseline.median}, test);
  out.median_ratio = ratio_of(window.median, baseline.median);
  out.p95_ratio = ratio_of(window.p95, baseline.p95);
  if (test) {
    out.probability_slower = test->probability_slower;
    out.p_value = test->p_value;
    out.effect_size = test->effect_size();
  }
  out.shift = shift;
  out.window = std::move(window);
  out.baseline = std::move(baseline);
  out.explanation = explain(out, measure);
  return out;
}

PerCounter per_counter(std::string counter, const Middle& window, const Middle& baseline,
                       const std::optional<RankTest>& test, std::optional<double> counter_ratio) {
  PerCounter out;
  out.counter = std::move(counter);
  out.window_median = window.median;
  out.baseline_median = baseline.median;
  out.ratio = ratio_of(window.median, baseline.median);
  if (test) out.p_value = test->p_value;
  out.verdict = verdict_of(window, baseline, test);
  out.counter_ratio = counter_ratio;
  return out;
}

Comparer::Sample::Sample(const Measure& measure, const std::string& step, Nanos grace)
    : statistics(measure, step, {State::kSucceeded}, grace) {}

void Comparer::Sample::add(const Run& run, const Measure& measure, const std::string& step) {
  statistics.add(run);
  if (const auto value = value_of(run, measure, step)) values.push_back(*value);
}

Comparer::Side::Side(const Measure& its_measure, const std::string& its_step, Nanos its_grace)
    : measure(its_measure), step(its_step), grace(its_grace), whole(its_measure, its_step, its_grace) {}

void Comparer::Side::add(const Run& run) {
  if (run.state != State::kSucceeded) return;
  whole.add(run, measure, step);
  if (step.empty() && measure.kind == Measure::Kind::kDuration) add_parts(run);
}

void Comparer::Side::add_parts(const Run& run) {
  for (const Step& one : run.steps) {
    auto found = steps.find(one.name);
    if (found == steps.end()) found = steps.emplace(one.name, Sample(measure, one.name, grace)).first;
    found->second.add(run, measure, one.name);
  }
  for (const auto& [name, value] : run.counters) {
    Counted& counted = counters[name];
    counted.counter.push_back(value);
    const auto seconds_per = value_of(run, {Measure::Kind::kSecondsPer, name}, {});
    if (seconds_per) counted.seconds_per.push_back(*seconds_per);
  }
}

Comparer::Sample Comparer::Side::take(const std::string& name) {
  if (auto found = steps.find(name); found != steps.end()) return std::move(found->second);
  return Sample(measure, name, grace);
}

Comparer::Comparer(Measure measure, std::string step, Nanos grace)
    : measure_(std::move(measure)), window_(measure_, step, grace), baseline_(measure_, step, grace) {}

Difference Comparer::difference(const std::string& step, Sample window, Sample baseline) const {
  const auto shift = hodges_lehmann(window.values, baseline.values);
  const auto test = mann_whitney(std::move(window.values), std::move(baseline.values));
  return difference_between(step, window.statistics.finish(), baseline.statistics.finish(), test, shift, measure_);
}

std::vector<Difference> Comparer::step_differences() {
  std::set<std::string> names;
  for (const Side* side : {&window_, &baseline_}) {
    for (const auto& [name, sample] : side->steps) names.insert(name);
  }
  std::vector<Difference> out;
  for (const std::string& name : names) out.push_back(difference(name, window_.take(name), baseline_.take(name)));
  return out;
}

std::vector<PerCounter> Comparer::per_counters() {
  std::vector<PerCounter> out;
  for (auto& [name, window] : window_.counters) {
    const auto found = baseline_.counters.find(name);
    if (found == baseline_.counters.end()) continue;
    Counted& baseline = found->second;
    const auto counted = ratio_of(middle_of(window.counter).median, middle_of(baseline.counter).median);
    const Middle ours = middle_of(window.seconds_per);
    const Middle theirs = middle_of(baseline.seconds_per);
    const auto test = mann_whitney(std::move(window.seconds_per), std::move(baseline.seconds_per));
    out.push_back(per_counter(name, ours, theirs, test, counted));
  }
  return out;
}

Comparison Comparer::finish() {
  Difference total = difference(window_.step, std::move(window_.whole), std::move(baseline_.whole));
  return concluded(std::move(total), step_differences(), per_counters());
}

}  // namespace kleptometrics::aggregator::stats
