#include "aggregator/stats/explain.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace kleptometrics::aggregator::stats {
namespace {

std::string fixed(double value, int decimals) {
  char buffer[400];  // the longest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals);
  return {buffer, end.ptr};
}

// Three digits, if there are so many before the point more.
std::string three_digits(double value) {
  const double size = std::abs(value);
  return fixed(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

std::string plain(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6);
  return {buffer, end.ptr};
}

struct Unit {
  double seconds;
  std::string_view name;
};

// The one that suits a time of this size.
Unit unit_of(double size) {
  if (size < 1e-6) return {1e-9, " ns"};
  if (size < 1e-3) return {1e-6, " us"};
  if (size < 1) return {1e-3, " ms"};
  if (size < 120) return {1, " s"};
  if (size < 7200) return {60, " min"};
  return {3600, " h"};
}

std::string seconds_text(double seconds) {
  if (seconds == 0) return "0 s";
  const Unit unit = unit_of(std::abs(seconds));
  return three_digits(seconds / unit.seconds) + std::string(unit.name);
}

// Two digits are enough to weigh parts of a whole.
std::string two_digits(double value) { return fixed(value, value < 0.995 ? 2 : value < 9.95 ? 1 : 0); }

bool within(const std::string& step, const std::string& parent) {
  return step.size() > parent.size() && step.starts_with(parent) && step[parent.size()] == '/';
}

// The part that explains most of the whole, of those inside `parent` (empty: of all); null if none explains half.
const PartOfTime* largest_part(const std::vector<PartOfTime>& parts, double whole, const std::string& parent) {
  const PartOfTime* best = nullptr;
  double most = 0.5;
  for (const PartOfTime& part : parts) {
    if (!parent.empty() && !within(part.step, parent)) continue;
    const double share = part.seconds / whole;
    if (share < most || (best != nullptr && share == most)) continue;
    best = &part;
    most = share;
  }
  return best;
}

// `+41 %`, `-3.2 %`, `12.5 times as much`, `no change`.
std::string change_text(double ratio) {
  const double percent = (ratio - 1) * 100;
  if (std::abs(percent) < 0.05) return "no change";
  const std::string digits = fixed(std::abs(percent), std::abs(percent) < 9.95 ? 1 : 0);
  if (ratio >= 10) return three_digits(ratio) + " times as much";
  return (percent < 0 ? "-" : "+") + digits + " %";
}

std::string p_text(double p) {
  if (p < 0.0001) return "p < 0.0001";
  return "p = " + fixed(p, p < 0.01 ? 4 : 2);
}

std::string runs_text(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " run" : " runs"); }

// A share in percent, the tenth only where there is one.
std::string percent_text(double share) {
  const double percent = std::round(share * 1000) / 10;
  return fixed(percent, percent == std::round(percent) ? 0 : 1) + " %";
}

std::string against_baseline(const RunComparison& comparison) {
  const Stats& baseline = *comparison.baseline;
  if (baseline.count == 0) return " against no successful run before it";
  std::string text =
      " against a median of " + seconds_text(*comparison.total.reference) + " of " + runs_text(baseline.count);
  const double rank = *comparison.percentile_rank;
  text += rank < 0.5 ? ", faster than " + percent_text(1 - rank) : ", slower than " + percent_text(rank);
  text += baseline.count == 1 ? " of it" : " of them";
  if (baseline.count < kRunSampleMin) text += "; a verdict needs " + std::to_string(kRunSampleMin);
  return text;
}

std::string against_run(const RunComparison& comparison) {
  if (!comparison.total.reference) return " against a run of which it is not known how long it took";
  std::string text = " against " + seconds_text(*comparison.total.reference);
  if (comparison.total.ratio) text += ", " + change_text(*comparison.total.ratio);
  return text;
}

std::string side(const Stats& stats, const Measure& measure) { return value_text(*stats.median, measure); }

}  // namespace

std::string value_text(double value, const Measure& measure) {
  switch (measure.kind) {
    case Measure::Kind::kMaxRssBytes:
      return plain(value) + " bytes";
    case Measure::Kind::kCounter:
      return plain(value);
    default:
      return seconds_text(value);
  }
}

std::string explain(const RunComparison& comparison) {
  const std::string verdict = ": " + std::string(name_of(comparison.verdict));
  if (!comparison.total.value) return "it is not known how long the run took" + verdict;
  std::string text = seconds_text(*comparison.total.value) +
                     (comparison.to ? against_run(comparison) : against_baseline(comparison)) + verdict;
  if (!comparison.total.difference || !changed_enough(*comparison.total.value, *comparison.total.reference))
    return text;
  std::vector<PartOfTime> parts;
  for (const PartDifference& step : comparison.steps) parts.push_back({step.name, *step.difference});
  const std::string part = part_text(parts, *comparison.total.difference);
  return part.empty() ? text : text + "; " + part;
}

std::string explain(const ChangePoint& change, const Measure& measure) {
  std::string text = "median " + value_text(change.median_after, measure) + " over " + runs_text(change.runs_after) +
                     " against " + value_text(change.median_before, measure) + " over " +
                     std::to_string(change.runs_before) + " before";
  if (change.ratio) text += ", " + change_text(*change.ratio);
  return text + ", " + p_text(change.p_value) + ": " + std::string(name_of(change.verdict));
}

std::string explain(const Sustained& shift) {
  return "the last " + runs_text(kInARow) + " took longer than " + seconds_text(shift.limit) + " each, " +
         seconds_text(shift.median) + " in the median; " + seconds_text(shift.median_before) + " are usual, by " +
         runs_text(shift.runs_before);
}

std::string per_text(double seconds, double counted, const Limits& limits) {
  return seconds_text(seconds / counted) + " for one of `" + limits.per->counter + "` against " +
         seconds_text(limits.per->median) + " that are usual, by " + runs_text(limits.runs);
}

std::string normalized_text(const PerCounter& per) {
  const double ratio = *per.counter_ratio;
  const std::string times = ratio < 1.995 ? fixed(ratio, 2) : two_digits(ratio);
  return "per `" + per.counter + "` it is unchanged: " + times + " times as many";
}

std::string part_text(const std::vector<PartOfTime>& parts, double whole) {
  if (whole == 0) return {};
  const PartOfTime* part = nullptr;
  for (const PartOfTime* next = largest_part(parts, whole, {}); next != nullptr;
       next = largest_part(parts, whole, part->step)) {
    part = next;
  }
  if (part == nullptr) return {};
  const Unit unit = unit_of(std::abs(whole));
  const std::string more = std::string(unit.name) + (whole > 0 ? " more" : " less") + " in `" + part->step + "`";
  const std::string digits = two_digits(std::abs(part->seconds) / unit.seconds);
  // What ran beside it, or what has become shorter, makes up for the rest.
  if (part->seconds / whole > 1.005) return digits + more;
  return digits + " of the " + two_digits(std::abs(whole) / unit.seconds) + more;
}

std::string explain(const Difference& difference, const Measure& measure) {
  const Stats& window = difference.window;
  const Stats& baseline = difference.baseline;
  const std::string verdict = ": " + std::string(name_of(difference.verdict));
  if (window.count < kSampleMin || baseline.count < kSampleMin) {
    return "values of " + runs_text(window.count) + " against " + std::to_string(baseline.count) +
           "; each side needs " + std::to_string(kSampleMin) + verdict;
  }
  std::string text =
      "median " + side(window, measure) + " against " + side(baseline, measure) + " over " + runs_text(window.count);
  if (difference.median_ratio) text += ", " + change_text(*difference.median_ratio);
  return text + ", " + p_text(*difference.p_value) + verdict;
}

}  // namespace kleptometrics::aggregator::stats
