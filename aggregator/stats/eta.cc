#include "aggregator/stats/eta.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {
namespace {

constexpr double kLow = 0.05, kHigh = 0.95;
constexpr double kDeviations = 1.6449;  // of a normal distribution, from its median to these
constexpr double kWalk = 0.3;           // see the head of the header
constexpr double kScaleMin = 0.05;      // by logarithms: nothing is known better than by 5 %
constexpr double kSmallest = 1e-3;      // seconds
// So many runs that took longer are a distribution. Fewer are less than half of those that anything is learned from, so
// that the run has passed the median.
constexpr std::size_t kLongerMin = 5;

// By logarithms, of a normal distribution.
struct Guess {
  double median, scale;
};

Guess by_history(const std::vector<double>& sorted) {
  std::vector<double> logs;
  for (const double value : sorted) logs.push_back(std::log(std::max(value, kSmallest)));
  const double median = median_of(logs);
  for (double& value : logs) value = std::abs(value - median);
  return {median, std::max(kScaleMin, kNormalScale * median_of(std::move(logs)))};
}

// `usual`: how long runs take, by logarithms; absent: not known.
Guess by_progress(double reached, double progress, std::optional<double> usual) {
  const double passed = std::log(std::max(reached, kSmallest));
  double walked = progress;
  if (usual) walked = std::min(walked, std::exp(passed - *usual));
  return {passed - std::log(progress), std::max(kScaleMin, kWalk * std::sqrt((1 - walked) / walked))};
}

Guess both(const Guess& history, const Guess& progress) {
  const double off = history.median - progress.median;
  const double own = progress.scale * progress.scale;
  const double others = std::max(history.scale * history.scale, off * off - own);
  const double share = own / (own + others);  // of the history
  return {progress.median + share * off, std::sqrt(own * others / (own + others))};
}

// Density over what is left, of a normal distribution at z deviations.
double hazard(double z) {
  if (z > 25) return z + 1 / z;  // both are too small for a double soon
  const double left = std::erfc(z / std::numbers::sqrt2) / 2;
  return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi) / left;
}

Total tail(const Guess& history, double elapsed) {
  const double passed = std::log(std::max(elapsed, kSmallest));
  const double rate = hazard((passed - history.median) / history.scale) / history.scale;
  const auto quantile = [&](double q) { return std::max(elapsed, std::exp(passed - std::log1p(-q) / rate)); };
  return {quantile(0.5), quantile(kLow), quantile(kHigh)};
}

// Below which the next value lies with that likelihood: definition 6 of R. J. Hyndman, Y. Fan, "Sample quantiles in
// statistical packages", The American Statistician 50 (1996), 361-365; at the ends the first or the last value.
double next_quantile(const std::vector<double>& sorted, double q) {
  const auto count = static_cast<double>(sorted.size());
  const double rank = std::clamp(q * (count + 1), 1.0, count);
  return between_quantile(sorted, (rank - 1) / (count - 1));
}

Total by_history(const std::vector<double>& sorted, double elapsed) {
  const std::vector<double> longer(std::upper_bound(sorted.begin(), sorted.end(), elapsed), sorted.end());
  if (longer.size() < kLongerMin) return tail(by_history(sorted), elapsed);
  return {median_of(longer), next_quantile(longer, kLow), next_quantile(longer, kHigh)};
}

Total within(const Guess& guess, double elapsed) {
  const auto at = [&](double deviations) {
    return std::max(elapsed, std::exp(guess.median + deviations * guess.scale));
  };
  return {at(0), at(-kDeviations), at(kDeviations)};
}

Nanos later(Nanos at, double seconds) {
  const double nanos = seconds * static_cast<double>(kNanosPerSecond);
  const Nanos left = kNanosEnd - at;
  return nanos < static_cast<double>(left) ? at + std::llround(nanos) : kNanosEnd;
}

double seconds_of(Nanos nanos) { return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond); }

}  // namespace

std::optional<Total> total_of(const Expectation& expected, double elapsed, double reached,
                              std::optional<double> progress) {
  const std::vector<double>& history = expected.durations();
  const bool learned = history.size() >= kLearnedMin;
  if (!progress || !(*progress > 0)) {
    if (!learned) return std::nullopt;
    return by_history(history, elapsed);
  }
  if (*progress >= 1) return Total{elapsed, elapsed, elapsed};
  if (!learned) return within(by_progress(reached, *progress, {}), elapsed);
  const Guess others = by_history(history);
  return within(both(others, by_progress(reached, *progress, others.median)), elapsed);
}

std::optional<Eta> eta_of(const Run& run, const Expectation& expected, Nanos now) {
  if (terminal(run.state)) return std::nullopt;
  const Nanos passed = std::max<Nanos>(0, now - run.started_at);
  const Nanos reached = std::clamp<Nanos>(run.duration.value_or(passed), 0, passed);
  const auto total = total_of(expected, seconds_of(passed), seconds_of(reached), run.progress);
  if (!total) return std::nullopt;
  const auto end = [&](double seconds) { return std::max(run.started_at + passed, later(run.started_at, seconds)); };
  return Eta{end(total->median), end(total->low), end(total->high)};
}

}  // namespace kleptometrics::aggregator::stats
