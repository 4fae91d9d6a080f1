#include "aggregator/stats/changes.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>

#include "aggregator/stats/ranks.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {
namespace {

// Of a segment as a whole, and of all its windows together. Not all of noise's tries are independent and the correction
// for them is an upper bound: bench_changes prints what comes of it.
constexpr double kWholeAlpha = 0.03;
constexpr double kWindowsAlpha = 0.02;
constexpr std::size_t kWindowMin = 4 * kSegmentMin;

using Values = std::vector<double>;

Values part(const Values& values, std::size_t begin, std::size_t end) {
  return {values.begin() + static_cast<std::ptrdiff_t>(begin), values.begin() + static_cast<std::ptrdiff_t>(end)};
}

// Durations are compared by how many times as long they are. What is not positive has no logarithm.
Values scaled(const Values& values) {
  if (!std::all_of(values.begin(), values.end(), [](double value) { return value > 0; })) return values;
  Values logs;
  logs.reserve(values.size());
  for (const double value : values) logs.push_back(std::log(value));
  return logs;
}

// How far each value is from all before it, and from all behind it.
struct Distances {
  Values before, behind;
  explicit Distances(const Values& values) : before(values.size()), behind(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = values[i];
      double sum = 0;
      for (std::size_t j = i + 1; j < values.size(); ++j) {
        const double distance = std::abs(values[j] - value);
        before[j] += distance;
        sum += distance;
      }
      behind[i] = sum;
    }
  }
};

double pairs(double count) { return count * (count - 1) / 2; }

// The correction for looking at places one by one and not at all times between them (D. Siegmund, "Sequential
// Analysis", 1985, section 10.4), in the form of D. Siegmund, B. Yakir, "The Statistics of Gene Mapping", 2007.
double discreteness(double x) {
  const double half = x / 2;
  const double below = std::erfc(-half / std::numbers::sqrt2) / 2;
  const double density = std::exp(-half * half / 2) / std::sqrt(2 * std::numbers::pi);
  return 2 / x * (below - 0.5) / (half * below + density);
}

struct Split {
  std::size_t at = 0;
  double p_value = 1;
};

class Finder {
 public:
  explicit Finder(const Values& values) : values_(values), scaled_(scaled(values)) {}

  std::vector<Change> find() {
    search(0, values_.size());
    std::sort(places_.begin(), places_.end());
    settle();
    while (drop_weakest()) settle();
    return changes();
  }

 private:
  // The largest change between two places, as if nothing else had been looked at.
  Split largest(std::size_t begin, std::size_t end) const {
    const auto at = most_divisive(part(scaled_, begin, end));
    if (!at) return {};
    return {begin + *at, p_at(begin, begin + *at, end)};
  }

  double p_at(std::size_t begin, std::size_t at, std::size_t end) const {
    const double off = ranked(part(values_, at, end), part(values_, begin, at)).deviations();
    return p_of_largest(std::abs(off), end - begin, kSegmentMin);
  }

  void search(std::size_t begin, std::size_t end) {
    Split split = largest(begin, end);
    if (!(split.p_value < kWholeAlpha)) split = largest_of_windows(begin, end);
    if (!(split.p_value < kWholeAlpha)) return;
    places_.push_back(split.at);
    search(begin, split.at);
    search(split.at, end);
  }

  // Corrected for the number of windows; nothing where it is no change by their measure.
  Split largest_of_windows(std::size_t begin, std::size_t end) const {
    Split best;
    double windows = 0;
    for (std::size_t length = (end - begin) / 2; length >= kWindowMin; length /= 2) {
      for (std::size_t from = begin; from + length <= end; from += length / 2) {
        const Split split = largest(from, from + length);
        if (split.p_value < best.p_value) best = split;
        ++windows;
      }
    }
    return best.p_value * windows < kWindowsAlpha ? best : Split{};
  }

  std::size_t begin_of(std::size_t i) const { return i == 0 ? 0 : places_[i - 1]; }
  std::size_t end_of(std::size_t i) const { return i + 1 == places_.size() ? values_.size() : places_[i + 1]; }

  // Each to where it fits best between its neighbours, now that these are known.
  void settle() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto at = most_divisive(part(scaled_, begin_of(i), end_of(i)));
      if (at) places_[i] = begin_of(i) + *at;
    }
  }

  Change change(std::size_t i) const {
    Change out;
    out.at = places_[i];
    out.begin = begin_of(i);
    out.end = end_of(i);
    out.before = median_of(part(values_, out.begin, out.at));
    out.after = median_of(part(values_, out.at, out.end));
    out.p_value = p_at(out.begin, out.at, out.end);
    out.verdict = out.after > out.before ? Verdict::kSlower : Verdict::kFaster;
    return out;
  }

  std::vector<Change> changes() const {
    std::vector<Change> out;
    for (std::size_t i = 0; i < places_.size(); ++i) out.push_back(change(i));
    return out;
  }

  // Takes out one that between its neighbours is none: the least certain. False if all stand.
  bool drop_weakest() {
    std::optional<std::size_t> weakest;
    double most = -1;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Change each = change(i);
      const bool stands = each.p_value < kWholeAlpha && changed_enough(each.after, each.before);
      if (stands || each.p_value <= most) continue;
      weakest = i;
      most = each.p_value;
    }
    if (weakest) places_.erase(places_.begin() + static_cast<std::ptrdiff_t>(*weakest));
    return weakest.has_value();
  }

  const Values& values_;
  const Values scaled_;
  std::vector<std::size_t> places_;
};

}  // namespace

std::optional<std::size_t> most_divisive(const Values& values) {
  const std::size_t count = values.size();
  if (count < 2 * kSegmentMin) return std::nullopt;
  const Distances distances(values);
  double left = 0;
  double between = 0;
  double right = 0;
  for (const double distance : distances.behind) right += distance;
  std::optional<std::size_t> best;
  double most = 0;
  for (std::size_t at = 1; at + kSegmentMin <= count; ++at) {
    // The value before `at` moves to the left.
    left += distances.before[at - 1];
    right -= distances.behind[at - 1];
    between += distances.behind[at - 1] - distances.before[at - 1];
    if (at < kSegmentMin) continue;
    const auto m = static_cast<double>(at);
    const auto n = static_cast<double>(count - at);
    const double energy = 2 * between / (m * n) - left / pairs(m) - right / pairs(n);
    const double statistic = m * n / (m + n) * energy;
    if (statistic <= most) continue;
    most = statistic;
    best = at;
  }
  return best;
}

double p_of_largest(double deviations, std::size_t values, std::size_t least) {
  if (!(deviations > 1) || values < 2 * least) return 1;
  constexpr int kSlices = 64;
  const auto n = static_cast<double>(values);
  const auto m = static_cast<double>(least);
  // From b (1 / m1 - 1 / n)^(1/2) to b (1 / m0 - 1 / n)^(1/2), by its logarithm.
  const double first = std::log(deviations * std::sqrt(1 / (n - m) - 1 / n));
  const double last = std::log(deviations * std::sqrt(1 / m - 1 / n));
  const double width = (last - first) / kSlices;
  double integral = 0;
  for (int i = 0; i < kSlices; ++i) {
    const double x = std::exp(first + (i + 0.5) * width);
    integral += discreteness(x + deviations * deviations / (n * x)) * width;
  }
  const double density = std::exp(-deviations * deviations / 2) / std::sqrt(2 * std::numbers::pi);
  // And the place where it would have been looked at first, by itself.
  const double single = std::erfc(deviations / std::numbers::sqrt2);
  return std::min(1.0, 2 * deviations * density * integral + single);
}

std::vector<Change> changes_in(const Values& values) {
  if (values.size() < 2 * kSegmentMin) return {};
  return Finder(values).find();
}

}  // namespace kleptometrics::aggregator::stats
