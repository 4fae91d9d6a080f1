#include "aggregator/stats/expectation.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {
namespace {

constexpr double kFloorSeconds = static_cast<double>(kLearnedFloor) / static_cast<double>(kNanosPerSecond);
constexpr double kSmallest = 1e-3;  // seconds: what is shorter counts as this, so that it has a logarithm
constexpr double kHigh = 0.95, kLow = 0.05;
// Starts are regular if the scale of the time between them is within half of its median: of starts at random it
// is 1.03.
constexpr double kRegular = 0.5;
// A counter explains durations if the scale of seconds for one is within half of that of the seconds themselves.
constexpr double kExplains = 0.5;
// Of the runs this share must have counted.
constexpr double kCounted = 0.9;

// 1.4826 MAD. Requires one.
double scale_of(const std::vector<double>& values, double median) {
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) distances.push_back(std::abs(value - median));
  return kNormalScale * median_of(std::move(distances));
}

// Values above 0 by their logarithms.
struct Logs {
  std::vector<double> sorted;
  std::vector<double> recent;  // the newest kRecent, sorted too
  double median, scale;

  // In order of time; at least kLearnedMin.
  Logs(const std::vector<double>& values, double smallest) {
    for (const double value : values) sorted.push_back(std::log(std::max(value, smallest)));
    recent.assign(sorted.end() - static_cast<std::ptrdiff_t>(kRecent), sorted.end());
    std::sort(recent.begin(), recent.end());
    std::sort(sorted.begin(), sorted.end());
    median = median_of(sorted);
    scale = scale_of(sorted, median);
  }
  // Where far out begins: see the head of the header.
  double above() const {
    const double out = std::min(kFarOut * scale, kBeyond * (between_quantile(sorted, kHigh) - median));
    return median + std::max(out, kBeyond * (recent[kRecent - 2] - median));
  }
  double below() const {
    return median - std::max(kFarOut * scale, kBeyond * (median - sorted[1]));
  }
};

struct Bounds {
  double median, too_long, too_short;
};

Bounds bounds_of(const std::vector<double>& values, double smallest) {
  const Logs logs(values, smallest);
  const double median = median_of(values);
  return {median, std::max(std::exp(logs.above()), kLongRatio * median),
          std::min(std::exp(logs.below()), kShortRatio * median)};
}

Nanos nanos_of(double seconds) {
  const double nanos = seconds * static_cast<double>(kNanosPerSecond);
  return nanos < static_cast<double>(kNanosEnd) ? std::llround(nanos) : kNanosEnd;
}

double scale_by_logs(const std::vector<double>& values) { return Logs(values, 0).scale; }

bool enough(std::size_t counted, std::size_t runs) {
  return counted >= kLearnedMin && static_cast<double>(counted) >= kCounted * static_cast<double>(runs);
}

// So many of what the counter counts; nullopt where nothing was counted.
std::optional<double> counted(const std::optional<Rate>& rate, const Counters& counters) {
  if (!rate) return std::nullopt;
  const auto found = counters.find(rate->counter);
  if (found == counters.end() || !(found->second > 0)) return std::nullopt;
  return std::max(found->second, rate->least);
}

// Beyond what the work should take, by kLearnedFloor at least.
Nanos longest(const Rate& rate, double count) {
  return nanos_of(count * std::max(rate.too_long, rate.median + kFloorSeconds / count));
}

}  // namespace

double between_quantile(const std::vector<double>& sorted, double q) {
  const double place = static_cast<double>(sorted.size() - 1) * q;
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Nanos too_long_running(const Limits& limits, const Counters& counters) {
  const Nanos usual = limits.too_long.value_or(kNanosEnd);
  const auto count = counted(limits.per, counters);
  return count ? std::max(usual, longest(*limits.per, *count)) : usual;
}

Nanos too_long_ended(const Limits& limits, const Counters& counters) {
  const auto count = counted(limits.per, counters);
  return count ? longest(*limits.per, *count) : limits.too_long.value_or(kNanosEnd);
}

std::optional<Nanos> too_short_ended(const Limits& limits, const Counters& counters) {
  const auto count = counted(limits.per, counters);
  if (!count) return limits.too_short;
  const double seconds = std::min(*count * limits.per->too_short, *count * limits.per->median - kFloorSeconds);
  return seconds > 0 ? std::optional(nanos_of(seconds)) : std::nullopt;
}

void Learner::add(const Run& run) {
  if (run.state != State::kSucceeded) return;
  if (const auto seconds = value_of(run, {}, {})) runs_.push_back({run.started_at, run.id, *seconds, run.counters});
}

Expectation Learner::finish() {
  std::sort(runs_.begin(), runs_.end(),
            [](const auto& a, const auto& b) { return std::tie(a.started_at, a.id) < std::tie(b.started_at, b.id); });
  if (runs_.size() > kLearnedRuns) runs_.erase(runs_.begin(), runs_.end() - static_cast<std::ptrdiff_t>(kLearnedRuns));
  return Expectation(std::move(runs_));
}

Expectation::Expectation(std::vector<Past> runs) : runs_(std::move(runs)) {
  for (const Past& run : runs_) sorted_.push_back(run.seconds);
  std::sort(sorted_.begin(), sorted_.end());
}

std::optional<Typical> Expectation::typical() const {
  if (runs_.size() < kLearnedMin) return std::nullopt;
  Typical out{median_of(sorted_), between_quantile(sorted_, kLow), between_quantile(sorted_, kHigh), {}, 0,
              runs_.size()};
  std::vector<double> gaps;
  for (std::size_t i = 1; i < runs_.size(); ++i) {
    gaps.push_back(static_cast<double>(runs_[i].started_at - runs_[i - 1].started_at) /
                   static_cast<double>(kNanosPerSecond));
  }
  const double gap = median_of(gaps);
  const double scale = scale_of(gaps, gap);
  if (gap > 0 && scale <= kRegular * gap) {
    out.period = gap;
    out.period_scale = scale;
  }
  return out;
}

std::optional<Limits> Expectation::limits() const {
  if (runs_.size() < kLearnedMin) return std::nullopt;
  std::vector<double> seconds;
  for (const Past& run : runs_) seconds.push_back(run.seconds);
  const Bounds bounds = bounds_of(seconds, kSmallest);
  Limits out;
  out.too_long = nanos_of(std::max(bounds.too_long, bounds.median + kFloorSeconds));
  const double shortest = std::min(bounds.too_short, bounds.median - kFloorSeconds);
  if (shortest > kSmallest) out.too_short = nanos_of(shortest);
  out.typical = nanos_of(bounds.median);
  out.runs = runs_.size();
  out.per = rate();
  return out;
}

std::optional<Rate> Expectation::rate() const {
  std::set<std::string> names;
  for (const Past& run : runs_) {
    for (const auto& [name, value] : run.counters) names.insert(name);
  }
  std::optional<Rate> best;
  double least_scale = HUGE_VAL;
  for (const std::string& name : names) {
    const Work work = work_by(name);
    if (!enough(work.rates.size(), runs_.size())) continue;
    const double scale = scale_by_logs(work.rates);
    if (scale >= least_scale || !(scale < kExplains * scale_by_logs(work.seconds))) continue;
    const Bounds bounds = bounds_of(work.rates, 0);
    best = Rate{name, bounds.median, bounds.too_long, bounds.too_short, work.least};
    least_scale = scale;
  }
  return best;
}

// Of the runs that counted.
Expectation::Work Expectation::work_by(const std::string& counter) const {
  Work out;
  for (const Past& run : runs_) {
    const auto found = run.counters.find(counter);
    if (found == run.counters.end() || !(found->second > 0)) continue;
    const double rate = run.seconds / found->second;
    if (!std::isnormal(rate)) continue;
    out.seconds.push_back(run.seconds);
    out.rates.push_back(rate);
    out.least = out.rates.size() == 1 ? found->second : std::min(out.least, found->second);
  }
  return out;
}

std::optional<Sustained> Expectation::sustained() const {
  if (runs_.size() < kLearnedMin + kInARow) return std::nullopt;
  std::vector<double> newest;
  std::vector<double> before;
  const std::size_t first = runs_.size() - kInARow;
  for (std::size_t i = 0; i < runs_.size(); ++i) (i < first ? before : newest).push_back(runs_[i].seconds);
  std::sort(before.begin(), before.end());
  Sustained out{median_of(newest), median_of(before), 0, before.size()};
  out.limit = std::max(
      {between_quantile(before, kHigh), kSustainedRatio * out.median_before, out.median_before + kFloorSeconds});
  if (*std::min_element(newest.begin(), newest.end()) <= out.limit) return std::nullopt;
  return out;
}

}  // namespace kleptometrics::aggregator::stats
