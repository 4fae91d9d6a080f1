// What change points find, and what they make up: steps of known size planted in log-normal noise, and noise alone. All
// seeds are fixed, so the tables are the same on every machine; the times are not.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "aggregator/stats/changes.h"
#include "tests/aggregator/stats/noise.h"

namespace {

using kleptometrics::aggregator::stats::Change;
using kleptometrics::aggregator::stats::changes_in;
using kleptometrics::fakes::noisy;

constexpr double kSigmas[] = {0.05, 0.1, 0.3, 0.5};
constexpr std::size_t kLengths[] = {100, 300, 1000};
constexpr std::size_t kSteps[] = {10, 20, 30, 50};  // percent
constexpr std::uint64_t kSeries = 200;
constexpr std::uint64_t kNoiseSeries = 500;
constexpr double kMedian = 60;

struct Score {
  std::uint64_t found = 0, alarms = 0, offset = 0;

  // `place`: of the step. What lies within a tenth of the series of it is it; all else is a false alarm.
  void add(const std::vector<Change>& changes, std::size_t place, std::size_t length) {
    std::size_t nearest = length;
    for (const Change& change : changes)
      nearest = std::min(nearest, change.at > place ? change.at - place : place - change.at);
    const bool hit = nearest <= length / 10;
    alarms += changes.size() - (hit ? 1 : 0);
    if (!hit) return;
    ++found;
    offset += nearest;
  }
};

Score planted(std::size_t percent, double sigma, std::size_t length) {
  Score score;
  for (std::uint64_t seed = 0; seed < kSeries; ++seed) {
    // In the middle half of the series.
    const std::size_t place = length / 4 + seed * (length / 2) / kSeries;
    const double after = kMedian * (1 + static_cast<double>(percent) / 100);
    score.add(changes_in(noisy({{place, kMedian}, {length, after}}, sigma, 7919 * length + seed)), place, length);
  }
  return score;
}

void print_planted() {
  std::printf("%5s %6s %7s %8s %12s %24s\n", "STEP", "SIGMA", "LENGTH", "RECALL", "MEAN OFFSET",
              "FALSE ALARMS A SERIES");
  for (const std::size_t percent : kSteps) {
    for (const double sigma : kSigmas) {
      for (const std::size_t length : kLengths) {
        const Score score = planted(percent, sigma, length);
        std::printf("%3zu %% %6.2f %7zu %8.3f ", percent, sigma, length, static_cast<double>(score.found) / kSeries);
        if (score.found == 0) {
          std::printf("%12s ", "-");
        } else {
          std::printf("%12.1f ", static_cast<double>(score.offset) / static_cast<double>(score.found));
        }
        std::printf("%24.3f\n", static_cast<double>(score.alarms) / kSeries);
      }
    }
  }
}

void print_noise() {
  std::printf("\n%5s %6s %7s %26s %18s\n", "NOISE", "SIGMA", "LENGTH", "SERIES THAT RAISE A CHANGE",
              "TIME A SERIES (ms)");
  std::uint64_t alarms = 0;
  std::uint64_t series = 0;
  for (const double sigma : kSigmas) {
    for (const std::size_t length : kLengths) {
      std::uint64_t raised = 0;
      std::chrono::duration<double, std::milli> spent{};
      for (std::uint64_t seed = 0; seed < kNoiseSeries; ++seed) {
        const auto values = noisy({{length, kMedian}}, sigma, 104'729 * length + seed);
        const auto begin = std::chrono::steady_clock::now();
        raised += changes_in(values).empty() ? 0 : 1;
        spent += std::chrono::steady_clock::now() - begin;
      }
      std::printf("%5s %6.2f %7zu %26.3f %18.2f\n", "", sigma, length, static_cast<double>(raised) / kNoiseSeries,
                  spent.count() / kNoiseSeries);
      alarms += raised;
      series += kNoiseSeries;
    }
  }
  std::printf("\nOf %llu series of noise %llu raise a change: %.3f; at most 0.050 is promised.\n",
              static_cast<unsigned long long>(series), static_cast<unsigned long long>(alarms),
              static_cast<double>(alarms) / static_cast<double>(series));
}

}  // namespace

int main() {
  std::printf("Steps planted once in log-normal noise, %llu series a line\n\n",
              static_cast<unsigned long long>(kSeries));
  print_planted();
  print_noise();
  return 0;
}
