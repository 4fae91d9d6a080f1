// Where buckets begin and end, against exact integer arithmetic: bucket b holds v when 2^b < v^64 <= 2^(b+1).
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

constexpr std::uint64_t kValueMax = std::numeric_limits<std::uint64_t>::max();

// A natural number as 32-bit digits, lowest first: just enough of one to raise to the power of 64.
using Digits = std::vector<std::uint32_t>;

Digits digits_of(std::uint64_t value) {
  return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32U)};
}

Digits square(const Digits& a) {
  Digits out(2 * a.size(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < a.size(); ++j) {
      const std::uint64_t sum = std::uint64_t{a[i]} * a[j] + out[i + j] + carry;
      out[i + j] = static_cast<std::uint32_t>(sum);
      carry = sum >> 32U;
    }
    out[i + a.size()] = static_cast<std::uint32_t>(carry);
  }
  return out;
}

void subtract_one(Digits& a) {
  for (auto& digit : a) {
    if (digit-- != 0) return;
  }
}

int bit_length(const Digits& a) {
  for (std::size_t i = a.size(); i-- > 0;) {
    if (a[i] != 0) return static_cast<int>(32 * i) + static_cast<int>(std::bit_width(a[i]));
  }
  return 0;
}

int exact_bucket_of(std::uint64_t value) {
  Digits power = digits_of(value);
  for (int i = 0; i < 6; ++i) power = square(power);
  subtract_one(power);
  return bit_length(power) - 1;
}

// The largest value of the buckets below `bound`: floor(2^(bound / 64)).
std::uint64_t floor_of_bound(int bound) {
  const auto octave = static_cast<unsigned>(bound / Sketch::kBucketsPerOctave);
  return sketch_detail::kBounds[static_cast<std::size_t>(bound % Sketch::kBucketsPerOctave)] >> (63U - octave);
}

TEST_CASE("the tests' exact arithmetic knows powers of two") {
  REQUIRE(exact_bucket_of(1) == -1);
  REQUIRE(exact_bucket_of(2) == 63);
  REQUIRE(exact_bucket_of(std::uint64_t{1} << 63U) == 63 * 64 - 1);
}

TEST_CASE("a bucket ends exactly at its bound, at every bound of 64 bits") {
  for (int bound = 0; bound < 64 * 64; ++bound) {
    const std::uint64_t at = floor_of_bound(bound);
    for (const std::uint64_t value : {at - 1, at, at + 1}) {
      if (value == 0) continue;
      INFO("bound " << bound << ", value " << value);
      REQUIRE(Sketch::bucket_of(value) == exact_bucket_of(value));
    }
  }
}

TEST_CASE("a power of two is the last value of its bucket") {
  for (int octave = 1; octave < 64; ++octave) {
    const std::uint64_t power = std::uint64_t{1} << static_cast<unsigned>(octave);
    REQUIRE(Sketch::bucket_of(power) == octave * 64 - 1);
    REQUIRE(Sketch::bucket_of(power + 1) >= octave * 64);
  }
}

TEST_CASE("the extremes have the lowest and the highest bucket") {
  REQUIRE(Sketch::bucket_of(1) == Sketch::kBucketMin);
  REQUIRE(Sketch::bucket_of(kValueMax) == Sketch::kBucketMax);
}

TEST_CASE("random values of every size lie in the bucket that exact arithmetic finds") {
  const std::uint64_t seed = 20240607;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t value = (random() >> (random() % 64U)) | 1U;
    INFO("value " << value);
    REQUIRE(Sketch::bucket_of(value) == exact_bucket_of(value));
  }
}

TEST_CASE("a bucket's value is off by the same share from both of its ends") {
  for (int bucket = Sketch::kBucketMin; bucket <= Sketch::kBucketMax; ++bucket) {
    const double low = std::exp2(bucket / 64.0);
    const double high = std::exp2((bucket + 1) / 64.0);
    const double value = Sketch::value_of(bucket);
    INFO("bucket " << bucket);
    REQUIRE((value - low) / low == Approx((high - value) / high).epsilon(1e-6));
    REQUIRE((value - low) / low < Sketch::kRelativeError);
  }
}

}  // namespace
}  // namespace kleptometrics
