#include "aggregator/stats/explain.h"

#include <charconv>
#include <cmath>

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

std::string seconds_text(double seconds) {
  const double size = std::abs(seconds);
  if (size == 0) return "0 s";
  if (size < 1e-6) return three_digits(seconds * 1e9) + " ns";
  if (size < 1e-3) return three_digits(seconds * 1e6) + " us";
  if (size < 1) return three_digits(seconds * 1e3) + " ms";
  if (size < 120) return three_digits(seconds) + " s";
  if (size < 7200) return three_digits(seconds / 60) + " min";
  return three_digits(seconds / 3600) + " h";
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
