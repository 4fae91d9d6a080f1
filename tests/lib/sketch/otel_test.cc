// A sketch is OpenTelemetry's ExponentialHistogram without its sum: the same parts, and the same values in the same
// buckets. The layout is that of opentelemetry-proto, opentelemetry/proto/metrics/v1/metrics.proto,
// ExponentialHistogramDataPoint; which bucket a value lies in, of the OpenTelemetry specification, "Metrics Data
// Model", "Exponential Scale": the one of index i holds those in (base^i, base^(i+1)], base = 2^(2^-scale).
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/lib/sketch/samples.h"
#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

using samples::Sample;

struct DataPoint {
  struct Buckets {
    std::int32_t offset = 0;
    std::vector<std::uint64_t> bucket_counts;
  };
  std::uint64_t count = 0;
  std::int32_t scale = 0;
  std::uint64_t zero_count = 0;
  Buckets positive;
  // Inclusive and exclusive, in base-2 logarithms, of the bucket at a place in bucket_counts.
  long double log_low(std::size_t at) const {
    return std::ldexp(static_cast<long double>(positive.offset) + static_cast<long double>(at), -scale);
  }
  long double log_high(std::size_t at) const { return log_low(at + 1); }
};

DataPoint to_otel(const Sketch& sketch) {
  return {sketch.count(), sketch.scale(), sketch.zero_count(), {sketch.offset(), sketch.counts()}};
}

bool from_otel(const DataPoint& point, Sketch& sketch) {
  return sketch.assign(point.scale, point.zero_count, point.positive.offset, point.positive.bucket_counts);
}

// The specification's way by logarithm, "All Scales: Use the Logarithm Function".
int index_by_logarithm(std::uint64_t value, int scale) {
  const long double scaled = std::ldexp(std::log2(static_cast<long double>(value)), scale);
  return static_cast<int>(std::ceil(scaled)) - 1;
}

TEST_CASE("a sketch comes back from OpenTelemetry's layout as it went") {
  for (const Sample& sample : samples::samples()) {
    if (sample.name == "held") continue;  // its counts add up to more than the layout's count can say
    INFO(sample.name);
    const DataPoint point = to_otel(sample.sketch);
    std::uint64_t sum = point.zero_count;
    for (const std::uint64_t count : point.positive.bucket_counts) sum += count;
    REQUIRE(sum == point.count);
    Sketch back;
    REQUIRE(from_otel(point, back));
    REQUIRE(back == sample.sketch);
    REQUIRE(back.encode() == sample.sketch.encode());
  }
}

TEST_CASE("every value lies between the bounds that OpenTelemetry gives its bucket, at every scale") {
  const std::uint64_t seed = 43;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t value = (random() >> (random() % 64U)) | 1U;
    Sketch sketch = samples::of({value});
    for (; sketch.scale() > Sketch::kScaleMin; sketch.coarsen()) {
      const DataPoint point = to_otel(sketch);
      const long double log = std::log2(static_cast<long double>(value));
      INFO("value " << value << ", scale " << point.scale);
      REQUIRE(point.log_low(0) <= log);
      REQUIRE(log <= point.log_high(0));
    }
  }
}

TEST_CASE("the bucket is the one of the specification's formula, powers of two included") {
  std::mt19937_64 random(47);
  std::vector<std::uint64_t> values;
  for (unsigned bits = 0; bits < 64; ++bits) values.push_back(std::uint64_t{1} << bits);
  // Below 2^40 a whole number is further from any bound that is none than extended precision errs.
  for (int i = 0; i < 5000; ++i) values.push_back((random() >> (24U + random() % 40U)) | 1U);
  for (const std::uint64_t value : values) {
    Sketch sketch = samples::of({value});
    for (int scale = Sketch::kScale; scale >= Sketch::kScaleMin; --scale, sketch.coarsen()) {
      INFO("value " << value << ", scale " << scale);
      REQUIRE(sketch.offset() == index_by_logarithm(value, scale));
    }
  }
}

TEST_CASE("the value that stands for a bucket lies between OpenTelemetry's bounds of it") {
  for (const Sample& sample : samples::samples()) {
    const DataPoint point = to_otel(sample.sketch);
    for (std::size_t at = 0; at < point.positive.bucket_counts.size(); ++at) {
      const int bucket = point.positive.offset + static_cast<int>(at);
      const auto log = std::log2(static_cast<long double>(Sketch::value_of(bucket, point.scale)));
      INFO(sample.name << ", bucket " << bucket);
      REQUIRE(point.log_low(at) < log);
      REQUIRE(log < point.log_high(at));
    }
  }
}

TEST_CASE("a histogram from elsewhere is taken with the empty buckets that it has at its ends") {
  const DataPoint point{6, 3, 1, {10, {0, 0, 2, 0, 3, 0}}};
  Sketch sketch;
  REQUIRE(from_otel(point, sketch));
  REQUIRE(sketch.count() == point.count);
  const DataPoint back = to_otel(sketch);
  REQUIRE(back.scale == 3);
  REQUIRE(back.zero_count == 1);
  REQUIRE(back.positive.offset == 12);
  REQUIRE(back.positive.bucket_counts == std::vector<std::uint64_t>{2, 0, 3});
}

TEST_CASE("lowering OpenTelemetry's scale is coarsening") {
  std::mt19937_64 random(53);
  const Sketch fine = samples::random_sketch(random, 500);
  const DataPoint before = to_otel(fine);
  const DataPoint after = to_otel(samples::coarsened(fine, 1));
  std::vector<std::uint64_t> expected(after.positive.bucket_counts.size(), 0);
  for (std::size_t at = 0; at < before.positive.bucket_counts.size(); ++at) {
    const int index = before.positive.offset + static_cast<int>(at);
    const int lower = static_cast<int>(std::floor(index / 2.0));  // two buckets become one
    expected[static_cast<std::size_t>(lower - after.positive.offset)] += before.positive.bucket_counts[at];
  }
  REQUIRE(after.scale == before.scale - 1);
  REQUIRE(after.positive.bucket_counts == expected);
}

}  // namespace
}  // namespace kleptometrics
