// What rollups answer as quantiles against the values themselves, and numbers of every size.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "aggregator/stats/rollup.h"
#include "tests/aggregator/stats/random_runs.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::spread;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNumberMax = std::numeric_limits<double>::max();

Amount number(double value) { return {0, value, false}; }
Amount ratio(double value) { return {0, value, true}; }
Amount nanos(double value) { return {static_cast<std::uint64_t>(value), 0, false}; }

Distribution of(const std::vector<Amount>& amounts) {
  Distribution values;
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    values.add({amounts[i], fakes::id_of(static_cast<std::uint32_t>(i)), fakes::kStart});
  }
  return values;
}

Stats stats_of(const std::vector<Amount>& amounts) {
  Rollup rollup;
  rollup.of(State::kSucceeded).values = of(amounts);
  return stats_of(rollup, {State::kSucceeded});
}

// The value at rank ceil(percent / 100 * n).
double exact(std::vector<Amount> amounts, std::size_t percent) {
  std::sort(amounts.begin(), amounts.end());
  return value_of(amounts[(amounts.size() * percent + 99) / 100 - 1]);
}

void require_quantiles(const std::vector<Amount>& amounts, double error) {
  const Stats stats = stats_of(amounts);
  REQUIRE(stats.quantile_error == error);
  for (const auto& [percent, part] : {std::pair{50U, &Stats::median}, std::pair{90U, &Stats::p90},
                                      std::pair{95U, &Stats::p95}, std::pair{99U, &Stats::p99}}) {
    const double expected = exact(amounts, percent);
    const double answer = (stats.*part).value();
    INFO("p" << percent << ": " << answer << " for " << expected);
    REQUIRE(std::abs(answer - expected) <= error * std::abs(expected));
    REQUIRE(answer >= *stats.min);
    REQUIRE(answer <= *stats.max);
  }
}

using Draw = std::function<double(std::mt19937_64&)>;

void require_error_of_sketch(const Draw& draw, Amount (*amount)(double)) {
  for (const std::size_t size : {3U, 4U, 10U, 101U, 2000U}) {
    std::mt19937_64 random(size);
    std::vector<Amount> amounts;
    for (std::size_t i = 0; i < size; ++i) amounts.push_back(amount(draw(random)));
    INFO(size << " values");
    require_quantiles(amounts, Sketch::kRelativeError);
  }
}

TEST_CASE("quantiles of times are within the error of the sketch") {
  for (const double around : {50.0, 1e3, 1e9, 60e9, 1e14}) {
    INFO("around " << around << " ns");
    require_error_of_sketch([&](std::mt19937_64& r) { return spread(r, around); }, nanos);
    require_error_of_sketch([&](std::mt19937_64&) { return around; }, nanos);
    require_error_of_sketch([&](std::mt19937_64& r) { return r() % 2U == 0 ? around : 1000 * around; }, nanos);
    require_error_of_sketch([&](std::mt19937_64& r) { return r() % 3U == 0 ? around : 0; }, nanos);
  }
}

TEST_CASE("quantiles of numbers are within the error of the sketch, of fractions and of large ones") {
  for (const double around : {0.001, 0.5, 1.0, 12.25, 1e6, 1e10, 1e13}) {
    INFO("around " << around);
    require_error_of_sketch([&](std::mt19937_64& r) { return spread(r, around); }, number);
    require_error_of_sketch([&](std::mt19937_64&) { return around; }, number);
    require_error_of_sketch([&](std::mt19937_64& r) { return r() % 2U == 0 ? around : 10 * around; }, number);
    require_error_of_sketch([&](std::mt19937_64& r) { return r() % 3U == 0 ? around : 0; }, number);
  }
}

TEST_CASE("quantiles of ratios are within the error of the sketch, of nanoseconds and of days") {
  for (const double around : {1e-10, 1e-9, 2.5e-6, 1e-3, 1.0, 86400.0, 1e6}) {
    INFO("around " << around);
    require_error_of_sketch([&](std::mt19937_64& r) { return spread(r, around); }, ratio);
    require_error_of_sketch([&](std::mt19937_64&) { return around; }, ratio);
  }
}

TEST_CASE("of one and of two values every quantile is exact") {
  for (const Amount& amount : {nanos(0), nanos(77), number(-3), number(1e-9), number(1e300), ratio(1e-300)}) {
    require_quantiles({amount}, 0);
    require_quantiles({amount, amount}, 0);
  }
  require_quantiles({number(-3), number(1e300)}, 0);
}

TEST_CASE("numbers that a sketch does not hold are answered with a larger error, and say so") {
  require_quantiles({number(-5), number(-3), number(-1), number(7)}, 1);
  require_quantiles({number(-5), number(-4), number(-3)}, 1);
  require_quantiles({number(1e-7), number(1e-6), number(1e-5), number(2)}, 1);
  require_quantiles({number(0), number(1e-7), number(1e-6), number(1e-5)}, 1);
  require_quantiles({number(1e17), number(1e18), number(1e19)}, 1);
  require_quantiles({number(1), number(1e200), number(kNumberMax)}, 1);
  require_quantiles({ratio(1e-14), ratio(1e-13), ratio(3)}, 1);
  require_quantiles({ratio(1), ratio(1e9), ratio(1e10)}, 1);
}

TEST_CASE("a series of numbers that are all 0 answers 0") {
  const Stats stats = stats_of({number(0), number(0), number(-0.0)});
  REQUIRE(stats.count == 3);
  for (const auto& each : {stats.min, stats.max, stats.mean, stats.stddev, stats.median, stats.p99}) {
    REQUIRE(each == 0.0);
  }
}

TEST_CASE("negative numbers have their mean, extremes and deviation") {
  const Stats stats = stats_of({number(-5), number(5)});
  REQUIRE(stats.mean == 0.0);
  REQUIRE(stats.stddev == 5.0);
  REQUIRE(stats.min == -5.0);
  REQUIRE(stats.max == 5.0);
}

TEST_CASE("the largest numbers there are have a finite mean and deviation") {
  const Stats stats = stats_of({number(kNumberMax), number(-kNumberMax), number(kNumberMax)});
  REQUIRE(std::isfinite(*stats.mean));
  REQUIRE(std::isfinite(*stats.stddev));
  REQUIRE(stats.mean.value() == Approx(kNumberMax / 3));
  Distribution values = of({number(kNumberMax), number(-kNumberMax), number(1)});
  REQUIRE_FALSE(values.remove({number(kNumberMax), fakes::id_of(0), fakes::kStart}));
  REQUIRE(std::isfinite(values.numbers.mean));
  REQUIRE(std::isfinite(values.numbers.deviations));
}

// A mean in a double is off by 2^-53 of itself, and no deviation is known better than that allows.
TEST_CASE("the deviation of large numbers that are nearly equal is as exact as their mean in a double") {
  for (const double base : {0.0, 1e6, 1e8, 1e10, 1e12}) {
    std::vector<Amount> amounts;
    for (int i = 0; i < 1000; ++i) amounts.push_back(number(base + i % 2));
    INFO("from " << base);
    REQUIRE(std::abs(stats_of(amounts).stddev.value() - 0.5) <= 1e-12 + 0x1p-53 * base);
  }
}

TEST_CASE("what rounding leaves of a huge number that was taken out exceeds no extreme") {
  Distribution values = of({number(1e18), number(0.25), number(0.25), number(0.5)});
  REQUIRE_FALSE(values.remove({number(1e18), fakes::id_of(0), fakes::kStart}));
  values.high = {number(0.5), fakes::id_of(3), fakes::kStart};  // as its owner finds it anew
  Rollup rollup;
  rollup.of(State::kSucceeded).values = values;
  const Stats stats = stats_of(rollup, {State::kSucceeded});
  REQUIRE(*stats.mean >= 0.25);
  REQUIRE(*stats.mean <= 0.5);
  REQUIRE(*stats.stddev <= 0.125);
}

TEST_CASE("whole numbers of units have the bucket of their count of units") {
  for (const int bits : {0, kNumberUnitBits, kRatioUnitBits}) {
    for (unsigned shift = 0; shift < 53; ++shift) {
      const std::uint64_t power = std::uint64_t{1} << shift;
      for (const std::uint64_t units : {power, power + 1, power + power / 3}) {
        INFO(units << " units of 2^-" << bits);
        REQUIRE(bucket_of_number(std::ldexp(static_cast<double>(units), -bits), bits) == Sketch::bucket_of(units));
      }
    }
  }
}

TEST_CASE("a number beyond the buckets has the nearest, not one by its mantissa") {
  for (const int bits : {kNumberUnitBits, kRatioUnitBits}) {
    const double unit = std::ldexp(1.0, -bits);
    for (const double value : {unit, unit / 2, 0.75 * unit, 1e-300, std::numeric_limits<double>::denorm_min()}) {
      REQUIRE(bucket_of_number(value, bits) == Sketch::kBucketMin);
    }
    REQUIRE(bucket_of_number(std::nextafter(unit, 1.0), bits) == 0);
    const double end = std::ldexp(1.0, 64 - bits);
    for (const double value :
         {std::nextafter(end, 0.0), end, std::nextafter(end, kInfinity), 1.5 * end, 1e300, kNumberMax, kInfinity}) {
      REQUIRE(bucket_of_number(value, bits) == Sketch::kBucketMax);
    }
    REQUIRE(bucket_of_number(end / 2, bits) == Sketch::kBucketMax - Sketch::kBucketsPerOctave);
  }
}

TEST_CASE("a number lies between the bounds of its bucket") {
  std::mt19937_64 random(17);
  for (int i = 0; i < 20'000; ++i) {
    const double value =
        std::ldexp(1.0 + static_cast<double>(random() % 1'000'003U) / 1'000'003, static_cast<int>(random() % 62U) - 15);
    const long double log = (std::log2(static_cast<long double>(value)) + kNumberUnitBits) * Sketch::kBucketsPerOctave;
    const int bucket = bucket_of_number(value, kNumberUnitBits);
    INFO("value " << value);
    REQUIRE(bucket <= log);
    REQUIRE(log <= bucket + 1);
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
