// What explains a difference: the step in which the time went, or that there was more to do.
#include <algorithm>
#include <cmath>
#include <utility>

#include "aggregator/stats/compare.h"
#include "aggregator/stats/explain.h"

namespace kleptometrics::aggregator::stats {
namespace {

// Total time of the measured values, a run of the side. A run without the step spent none in it.
double time_per_run(const Stats& stats) {
  if (stats.count == 0) return 0;
  return *stats.mean * static_cast<double>(stats.count) / static_cast<double>(stats.succeeded);
}

// More time a run in the window; negative: less.
double time_more(const Difference& difference) {
  return time_per_run(difference.window) - time_per_run(difference.baseline);
}

// A step's numbers of all runs of its side, also of those that came without it.
void widen(Stats& step, const Stats& whole) {
  step.succeeded = whole.succeeded;
  step.late = whole.late;
  step.success_rate = whole.success_rate;
}

bool changed(Verdict verdict) { return verdict == Verdict::kSlower || verdict == Verdict::kFaster; }

// True where most of the change of the durations is one of the counter, to the same side, and none is left per unit.
bool explains(const PerCounter& per, const Difference& total) {
  if (per.verdict != Verdict::kUnchanged || !per.ratio || !per.counter_ratio || !total.median_ratio) return false;
  if (!(*per.ratio > 0) || !(*per.counter_ratio > 0) || !(*total.median_ratio > 0)) return false;
  const bool same_side = (*per.counter_ratio > 1) == (*total.median_ratio > 1) && *per.counter_ratio != 1;
  return same_side && std::abs(std::log(*per.ratio)) < std::abs(std::log(*total.median_ratio)) / 2;
}

// Of those that explain it, the one that leaves the least.
const PerCounter* explaining(const Difference& total, const std::vector<PerCounter>& per_counters) {
  const PerCounter* best = nullptr;
  for (const PerCounter& per : per_counters) {
    if (!explains(per, total)) continue;
    if (best == nullptr || std::abs(std::log(*per.ratio)) < std::abs(std::log(*best->ratio))) best = &per;
  }
  return best;
}

}  // namespace

Comparison concluded(Difference total, std::vector<Difference> steps, const std::vector<PerCounter>& per_counters) {
  Comparison out;
  std::vector<PartOfTime> parts;
  for (Difference& step : steps) {
    widen(step.window, total.window);
    widen(step.baseline, total.baseline);
    parts.push_back({step.step, time_more(step)});
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Difference& a, const Difference& b) {
    return std::abs(time_more(a)) > std::abs(time_more(b));
  });
  if (changed(total.verdict) && !per_counters.empty()) {
    if (const PerCounter* per = explaining(total, per_counters)) {
      out.normalized = *per;
      total.explanation += "; " + normalized_text(*per);
    }
  }
  const double more = time_more(total);
  if (changed(total.verdict) && (more > 0) == (total.verdict == Verdict::kSlower)) {
    const std::string text = part_text(parts, more);
    if (!text.empty()) total.explanation += "; " + text;
  }
  out.total = std::move(total);
  out.steps = std::move(steps);
  return out;
}

}  // namespace kleptometrics::aggregator::stats
