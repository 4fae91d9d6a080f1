#include "aggregator/stats/changes.h"

#include <cmath>
#include <random>

#include "tests/aggregator/stats/noise.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::Level;
using fakes::noisy;
using Values = std::vector<double>;

std::vector<std::size_t> places(const Values& values) {
  std::vector<std::size_t> out;
  for (const Change& change : changes_in(values)) out.push_back(change.at);
  return out;
}

TEST_CASE("a clear step is found where it is, with the levels on both sides") {
  const auto changes = changes_in(noisy({{60, 40}, {100, 60}}, 0.05, 1));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].at == 60);
  CHECK(changes[0].begin == 0);
  CHECK(changes[0].end == 100);
  CHECK(std::abs(changes[0].before - 40) < 1);
  CHECK(std::abs(changes[0].after - 60) < 2);
  CHECK(changes[0].verdict == Verdict::kSlower);
  CHECK(changes[0].p_value < 1e-6);
}

TEST_CASE("several changes come in order, each between its neighbours") {
  const auto changes = changes_in(noisy({{80, 40}, {150, 60}, {210, 50}, {300, 80}}, 0.05, 2));
  REQUIRE(changes.size() == 3);
  CHECK(changes[0].at == 80);
  CHECK(changes[1].at == 150);
  CHECK(changes[2].at == 210);
  CHECK(changes[1].begin == 80);
  CHECK(changes[1].end == 210);
  CHECK(changes[1].verdict == Verdict::kFaster);
  CHECK(changes[2].verdict == Verdict::kSlower);
}

TEST_CASE("a short rise that was taken back is seen within a long history") {
  CHECK(places(noisy({{500, 40}, {530, 60}, {1000, 40}}, 0.1, 3)) == std::vector<std::size_t>{500, 530});
}

TEST_CASE("a change needs 5 % and five points on either side") {
  CHECK(places(noisy({{200, 100}, {400, 104}}, 0.001, 4)).empty());
  CHECK(places(noisy({{200, 100}, {400, 106}}, 0.001, 4)) == std::vector<std::size_t>{200});
  CHECK(places(noisy({{100, 100}, {104, 300}}, 0.1, 5)).empty());
  CHECK(places(noisy({{100, 100}, {106, 300}}, 0.1, 5)) == std::vector<std::size_t>{100});
  CHECK(places(noisy({{4, 100}, {9, 300}}, 0.1, 6)).empty());
  CHECK(places({}).empty());
}

TEST_CASE("outliers are no change of level") {
  Values values = noisy({{200, 100}}, 0.1, 7);
  for (const std::size_t at : {20U, 90U, 91U, 150U}) values[at] *= 100;
  CHECK(places(values).empty());
}

TEST_CASE("equal values, and values without a logarithm, are taken as they are") {
  CHECK(places(Values(300, 7)).empty());
  Values zeros(50, 0.0);
  zeros.insert(zeros.end(), 50, 3.0);
  CHECK(places(zeros) == std::vector<std::size_t>{50});
  Values negative(50, -8.0);
  negative.insert(negative.end(), 50, -4.0);
  CHECK(places(negative) == std::vector<std::size_t>{50});
}

TEST_CASE("the same series gives the same answer, in any unit") {
  const Values values = noisy({{300, 40}, {600, 48}, {900, 60}}, 0.3, 8);
  const auto once = changes_in(values);
  REQUIRE_FALSE(once.empty());
  Values hours = values;
  for (double& value : hours) value *= 4096;
  const auto again = changes_in(values);
  const auto scaled = changes_in(hours);
  REQUIRE(again.size() == once.size());
  REQUIRE(scaled.size() == once.size());
  for (std::size_t i = 0; i < once.size(); ++i) {
    CHECK(again[i].at == once[i].at);
    CHECK(again[i].p_value == once[i].p_value);
    CHECK(scaled[i].at == once[i].at);
    CHECK(scaled[i].p_value == once[i].p_value);
  }
}

TEST_CASE("the sums of the most divisive place are those of its definition") {
  const Values values = noisy({{17, 3}, {40, 4}}, 0.3, 9);
  const auto mean_distance = [&](std::size_t a, std::size_t a_end, std::size_t b, std::size_t b_end) {
    double sum = 0;
    double pairs = 0;
    for (std::size_t i = a; i < a_end; ++i) {
      for (std::size_t j = a == b ? i + 1 : b; j < b_end; ++j, ++pairs) sum += std::abs(values[i] - values[j]);
    }
    return sum / pairs;
  };
  std::size_t best = 0;
  double most = 0;
  for (std::size_t at = kSegmentMin; at + kSegmentMin <= 40; ++at) {
    const auto m = static_cast<double>(at);
    const double energy =
        2 * mean_distance(0, at, at, 40) - mean_distance(0, at, 0, at) - mean_distance(at, 40, at, 40);
    if (m * (40 - m) / 40 * energy <= most) continue;
    most = m * (40 - m) / 40 * energy;
    best = at;
  }
  CHECK(most_divisive(values) == best);
  CHECK_FALSE(most_divisive(Values(40, 1.0)));
  CHECK_FALSE(most_divisive({1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_CASE("the correction for having looked everywhere is an upper bound, and not far from what is") {
  constexpr int kSeries = 2000;
  constexpr std::size_t kLength = 100;
  std::mt19937_64 random(10);
  for (const double bound : {2.5, 3.0, 3.5}) {
    int above = 0;
    for (int series = 0; series < kSeries; ++series) {
      std::normal_distribution<double> normal;
      Values sums(kLength + 1);
      for (std::size_t i = 1; i <= kLength; ++i) sums[i] = sums[i - 1] + normal(random);
      double largest = 0;
      for (std::size_t at = kSegmentMin; at + kSegmentMin <= kLength; ++at) {
        const auto m = static_cast<double>(at);
        const double off = sums[at] - m * sums[kLength] / kLength;
        largest = std::max(largest, std::abs(off) / std::sqrt(m * (1 - m / kLength)));
      }
      above += largest >= bound ? 1 : 0;
    }
    const double seen = static_cast<double>(above) / kSeries;
    const double said = p_of_largest(bound, kLength, kSegmentMin);
    CHECK(said > seen * 0.8);
    CHECK(said < seen * 1.6 + 0.005);
  }
  CHECK(p_of_largest(0, 100, 5) == 1);
  CHECK(p_of_largest(40, 100, 5) < 1e-300);
  CHECK(p_of_largest(40, 9, 5) == 1);
}

TEST_CASE("on pure noise at most 1 series in 20 raises a change") {
  int series = 0;
  int alarms = 0;
  for (const double sigma : {0.05, 0.1, 0.3, 0.5}) {
    for (const std::size_t length : {30U, 100U, 300U}) {
      for (std::uint64_t seed = 0; seed < 100; ++seed, ++series) {
        alarms += changes_in(noisy({{length, 60}}, sigma, 1000 * length + seed)).empty() ? 0 : 1;
      }
    }
  }
  INFO(alarms << " of " << series);
  CHECK(alarms * 20 <= series);
}

TEST_CASE("clear steps are found, near where they are") {
  struct Case {
    double step, sigma;
    std::size_t length;
    int found_min;  // of 50
  };
  for (const Case& each : {Case{1.1, 0.05, 100, 48}, Case{1.1, 0.1, 300, 46}, Case{1.2, 0.1, 100, 48},
                           Case{1.3, 0.3, 300, 44}, Case{1.5, 0.3, 100, 46}, Case{1.5, 0.5, 300, 44}}) {
    int found = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const std::size_t at = each.length / 4 + seed * each.length / 100;
      const Values values = noisy({{at, 60}, {each.length, 60 * each.step}}, each.sigma, seed);
      for (const std::size_t place : places(values)) {
        if (place + each.length / 10 >= at && place <= at + each.length / 10) {
          ++found;
          break;
        }
      }
    }
    INFO(each.step << " in " << each.sigma << " over " << each.length);
    CHECK(found >= each.found_min);
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
