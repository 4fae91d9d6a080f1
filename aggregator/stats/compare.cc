#include "aggregator/stats/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "aggregator/stats/explain.h"

namespace kleptometrics::aggregator::stats {
namespace {

std::optional<double> ratio(std::optional<double> window, std::optional<double> baseline) {
  if (!window || !baseline || !(*baseline > 0)) return std::nullopt;
  const double quotient = *window / *baseline;
  if (!std::isfinite(quotient)) return std::nullopt;
  return quotient;
}

bool changed_enough(double window, double baseline) {
  constexpr double kRounding = 1e-9;  // 5 % of a number that has no exact double is 5 % all the same
  return window != baseline && std::abs(window - baseline) >= kChangeMin * std::abs(baseline) * (1 - kRounding);
}

Verdict verdict_of(const Difference& difference) {
  if (difference.window.count < kSampleMin || difference.baseline.count < kSampleMin) return Verdict::kInsufficientData;
  const double window = *difference.window.median;
  const double baseline = *difference.baseline.median;
  if (!(*difference.p_value < kSignificance) || !changed_enough(window, baseline)) return Verdict::kUnchanged;
  // Ranks and medians may point to different sides; then neither is to be believed.
  const bool slower = *difference.probability_slower > 0.5;
  if (slower != (window > baseline)) return Verdict::kUnchanged;
  return slower ? Verdict::kSlower : Verdict::kFaster;
}

// Total time of the measured values, a run of the side. A run without the step spent none in it.
double time_per_run(const Stats& stats) {
  if (stats.count == 0) return 0;
  return *stats.mean * static_cast<double>(stats.count) / static_cast<double>(stats.succeeded);
}

double time_lost(const Difference& difference) {
  return std::abs(time_per_run(difference.window) - time_per_run(difference.baseline));
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::array<std::string_view, 4> kNames = {"slower", "faster", "unchanged", "insufficient_data"};
  return kNames.at(static_cast<std::size_t>(verdict));
}

std::optional<RankTest> mann_whitney(std::vector<double> window, std::vector<double> baseline) {
  if (window.empty() || baseline.empty()) return std::nullopt;
  std::sort(window.begin(), window.end());
  std::sort(baseline.begin(), baseline.end());
  const auto m = static_cast<double>(window.size());
  const auto n = static_cast<double>(baseline.size());
  double u = 0;     // pairs in which the window's value is above, ties half
  double ties = 0;  // sum of t^3 - t over groups of t equal values
  for (std::size_t at = 0, b = 0; at < window.size() || b < baseline.size();) {
    const double value = at == window.size()    ? baseline[b]
                         : b == baseline.size() ? window[at]
                                                : std::min(window[at], baseline[b]);
    const std::size_t first_at = at;
    const std::size_t first_b = b;
    while (at < window.size() && window[at] == value) ++at;
    while (b < baseline.size() && baseline[b] == value) ++b;
    const auto ours = static_cast<double>(at - first_at);
    const auto theirs = static_cast<double>(b - first_b);
    u += ours * (static_cast<double>(first_b) + theirs / 2);
    const double t = ours + theirs;
    ties += t * t * t - t;
  }
  RankTest test;
  test.probability_slower = u / (m * n);
  const double all = m + n;
  const double variance = m * n / 12 * (all + 1 - ties / (all * (all - 1)));
  if (!(variance > 0)) return test;  // all values are equal
  const double off = std::max(0.0, std::abs(u - m * n / 2) - 0.5);
  test.p_value = std::erfc(off / std::sqrt(2 * variance));
  return test;
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
  if (!step.empty() || measure.kind != Measure::Kind::kDuration) return;
  for (const Step& one : run.steps) {
    auto found = steps.find(one.name);
    if (found == steps.end()) found = steps.emplace(one.name, Sample(measure, one.name, grace)).first;
    found->second.add(run, measure, one.name);
  }
}

Comparer::Sample Comparer::Side::take(const std::string& name) {
  if (auto found = steps.find(name); found != steps.end()) return std::move(found->second);
  return Sample(measure, name, grace);
}

Comparer::Comparer(Measure measure, std::string step, Nanos grace)
    : measure_(std::move(measure)), window_(measure_, step, grace), baseline_(measure_, step, grace) {}

Difference Comparer::difference(const std::string& step, Sample window, Sample baseline) const {
  Difference out;
  out.step = step;
  out.window = window.statistics.finish();
  out.baseline = baseline.statistics.finish();
  out.median_ratio = ratio(out.window.median, out.baseline.median);
  out.p95_ratio = ratio(out.window.p95, out.baseline.p95);
  if (const auto test = mann_whitney(std::move(window.values), std::move(baseline.values))) {
    out.probability_slower = test->probability_slower;
    out.p_value = test->p_value;
  }
  out.verdict = verdict_of(out);
  out.explanation = explain(out, measure_);
  return out;
}

std::vector<Difference> Comparer::step_differences(const Difference& total) {
  std::set<std::string> names;
  for (const Side* side : {&window_, &baseline_}) {
    for (const auto& [name, sample] : side->steps) names.insert(name);
  }
  // Of all runs of its side, also of those that came without the step.
  const auto widen = [](Stats& step, const Stats& whole) {
    step.succeeded = whole.succeeded;
    step.late = whole.late;
    step.success_rate = whole.success_rate;
  };
  std::vector<Difference> out;
  for (const std::string& name : names) {
    Difference& step = out.emplace_back(difference(name, window_.take(name), baseline_.take(name)));
    widen(step.window, total.window);
    widen(step.baseline, total.baseline);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Difference& a, const Difference& b) { return time_lost(a) > time_lost(b); });
  return out;
}

Comparison Comparer::finish() {
  Comparison out;
  out.total = difference(window_.step, std::move(window_.whole), std::move(baseline_.whole));
  out.steps = step_differences(out.total);
  return out;
}

}  // namespace kleptometrics::aggregator::stats
