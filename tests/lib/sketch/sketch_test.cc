#include "lib/sketch/sketch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/lib/sketch/samples.h"
#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

using samples::kMax;
using samples::of;
using samples::random_sketch;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What the header promises of counts(): neither the first nor the last is 0.
void require_trimmed(const Sketch& sketch) {
  if (sketch.counts().empty()) return;
  REQUIRE(sketch.counts().front() != 0);
  REQUIRE(sketch.counts().back() != 0);
}

auto near(double value) { return Approx(value).epsilon(Sketch::kRelativeError); }

TEST_CASE("an empty sketch answers 0") {
  const Sketch sketch;
  REQUIRE(sketch.count() == 0);
  REQUIRE(sketch.counts().empty());
  for (const double q : {-1.0, 0.0, 0.5, 1.0, 2.0, kNaN}) REQUIRE(sketch.quantile(q) == 0);
}

TEST_CASE("one value is every quantile") {
  const Sketch sketch = of({5'000'000});
  REQUIRE(sketch.count() == 1);
  REQUIRE(sketch.offset() == Sketch::bucket_of(5'000'000));
  for (const double q : {0.0, 0.5, 1.0}) REQUIRE(sketch.quantile(q) == near(5'000'000));
}

TEST_CASE("of two values the median is the lower") {
  const Sketch sketch = of({1000, 2'000'000});
  REQUIRE(sketch.quantile(0.5) == near(1000));
  REQUIRE(sketch.quantile(0.51) == near(2'000'000));
  REQUIRE(sketch.quantile(0) == near(1000));
  REQUIRE(sketch.quantile(1) == near(2'000'000));
}

TEST_CASE("a repeated value counts as often as it came") {
  Sketch sketch;
  for (int i = 0; i < 10; ++i) sketch.add(77);
  sketch.add(77, 90);
  REQUIRE(sketch.count() == 100);
  REQUIRE(sketch.counts() == std::vector<std::uint64_t>{100});
}

TEST_CASE("zeros have their own bucket, below all others") {
  Sketch sketch = of({0, 0, 8});
  sketch.add_zero(1);
  REQUIRE(sketch.zero_count() == 3);
  REQUIRE(sketch.count() == 4);
  REQUIRE(sketch.quantile(0.75) == 0);
  REQUIRE(sketch.quantile(0.76) == near(8));
}

TEST_CASE("the value 1 is answered as 1 at every scale") {
  Sketch sketch = of({1});
  for (int scale = Sketch::kScale; scale >= Sketch::kScaleMin; --scale, sketch.coarsen()) {
    REQUIRE(sketch.offset() == Sketch::kBucketMin);
    REQUIRE(sketch.quantile(0.5) == 1.0);
  }
}

TEST_CASE("a quantile outside 0 to 1 is that of the nearer end") {
  const Sketch sketch = of({10, 1000});
  REQUIRE(sketch.quantile(-3) == sketch.quantile(0));
  REQUIRE(sketch.quantile(kNaN) == sketch.quantile(0));
  REQUIRE(sketch.quantile(7) == sketch.quantile(1));
  REQUIRE(sketch.quantile(std::numeric_limits<double>::infinity()) == sketch.quantile(1));
}

TEST_CASE("adding nothing changes nothing") {
  Sketch sketch;
  sketch.add(5, 0);
  sketch.add(0, 0);
  sketch.add_bucket(17, 0);
  sketch.merge(Sketch{});
  REQUIRE(sketch == Sketch{});
}

TEST_CASE("the smallest and the largest value live in one sketch") {
  const Sketch sketch = of({1, kMax});
  REQUIRE(sketch.counts().size() == Sketch::kBucketCountMax);
  REQUIRE(sketch.quantile(0) == 1.0);
  REQUIRE(sketch.quantile(1) == near(0x1p64));
}

TEST_CASE("counts hold at their maximum instead of wrapping round") {
  Sketch sketch;
  sketch.add(9, kMax);
  sketch.add(9, kMax);
  sketch.add(1'000'000, 5);
  sketch.add_zero(kMax);
  sketch.add_zero(1);
  REQUIRE(sketch.count() == kMax);
  REQUIRE(sketch.zero_count() == kMax);
  Sketch twice = sketch;
  twice.merge(sketch);
  REQUIRE(twice.count() == kMax);
  REQUIRE(twice.counts().back() == 10);
  REQUIRE(twice.quantile(1) == 0);
}

TEST_CASE("a bucket beyond 64-bit values counts as the nearest one") {
  Sketch sketch;
  sketch.add_bucket(std::numeric_limits<int>::min(), 1);
  sketch.add_bucket(std::numeric_limits<int>::max(), 2);
  REQUIRE(sketch.offset() == Sketch::kBucketMin);
  REQUIRE(sketch.counts().size() == Sketch::kBucketCountMax);
  REQUIRE(sketch.counts().back() == 2);
}

TEST_CASE("a bucket can be added as such") {
  Sketch sketch;
  sketch.add_bucket(Sketch::bucket_of(12345), 3);
  Sketch same;
  same.add(12345, 3);
  REQUIRE(sketch == same);
}

TEST_CASE("what was added can be taken back, leaving no trace") {
  std::mt19937_64 random(7);
  const Sketch before = random_sketch(random, 50);
  Sketch sketch = before;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 500; ++i) values.push_back(random() >> (random() % 64U));
  for (const auto value : values) sketch.add(value, 2);
  std::shuffle(values.begin(), values.end(), random);
  for (const auto value : values) REQUIRE(sketch.remove(value, 2));
  REQUIRE(sketch == before);
}

TEST_CASE("what is not there cannot be taken out") {
  Sketch sketch = of({0, 100, 10'000});
  const Sketch before = sketch;
  REQUIRE_FALSE(sketch.remove(0, 2));
  REQUIRE_FALSE(sketch.remove(100, 2));
  REQUIRE_FALSE(sketch.remove(1));     // below the range
  REQUIRE_FALSE(sketch.remove(1000));  // inside it, empty
  REQUIRE_FALSE(sketch.remove(kMax));  // above it
  REQUIRE_FALSE(Sketch{}.remove(5));
  REQUIRE(sketch == before);
  REQUIRE(sketch.remove(123, 0));
  REQUIRE(sketch == before);
}

TEST_CASE("taking out the last value empties the sketch") {
  Sketch sketch = of({42});
  REQUIRE(sketch.remove(42));
  REQUIRE(sketch == Sketch{});
}

TEST_CASE("buckets can be taken out as such") {
  Sketch sketch = of({100, 100, 10'000});
  REQUIRE_FALSE(sketch.remove_bucket(Sketch::bucket_of(100), 3));
  REQUIRE_FALSE(sketch.remove_bucket(Sketch::bucket_of(100) - 1, 1));
  REQUIRE_FALSE(sketch.remove_bucket(Sketch::bucket_of(10'000) + 1, 1));
  REQUIRE(sketch.remove_bucket(Sketch::bucket_of(100), 2));
  REQUIRE(sketch == of({10'000}));
  REQUIRE(sketch.remove_bucket(Sketch::bucket_of(10'000), 0));
  REQUIRE(sketch.remove_bucket(Sketch::bucket_of(10'000), 1));
  REQUIRE(sketch == Sketch{});
  REQUIRE_FALSE(sketch.remove_bucket(0, 1));
}

TEST_CASE("a bucket beyond 64-bit values is taken out of where it was added") {
  Sketch sketch;
  sketch.add_bucket(std::numeric_limits<int>::max(), 2);
  sketch.add_bucket(std::numeric_limits<int>::min(), 1);
  REQUIRE(sketch.remove_bucket(std::numeric_limits<int>::max(), 2));
  REQUIRE(sketch.remove_bucket(std::numeric_limits<int>::min(), 1));
  REQUIRE(sketch == Sketch{});
}

TEST_CASE("taking out works at the sketch's own scale") {
  Sketch sketch = samples::coarsened(of({0, 7, 1'000'000}), 4);
  REQUIRE(sketch.remove(1'000'000));
  REQUIRE(sketch.remove(0));
  REQUIRE(sketch == samples::coarsened(of({7}), 4));
}

TEST_CASE("the value at a rank is that of the bucket where counting arrives at it") {
  const Sketch sketch = of({0, 10, 10, 1000});
  REQUIRE(sketch.at_rank(1) == 0);
  REQUIRE(sketch.at_rank(2) == near(10));
  REQUIRE(sketch.at_rank(3) == near(10));
  REQUIRE(sketch.at_rank(4) == near(1000));
  REQUIRE(sketch.at_rank(0) == sketch.at_rank(1));
  REQUIRE(sketch.at_rank(5) == sketch.at_rank(4));
  REQUIRE(sketch.at_rank(kMax) == sketch.at_rank(4));
  REQUIRE(Sketch{}.at_rank(1) == 0);
  REQUIRE(of({0, 0}).at_rank(kMax) == 0);
}

TEST_CASE("a quantile is the value at its rank") {
  std::mt19937_64 random(29);
  const Sketch sketch = random_sketch(random, 400);
  for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double rank = std::max(1.0, std::ceil(q * static_cast<double>(sketch.count())));
    REQUIRE(sketch.quantile(q) == sketch.at_rank(static_cast<std::uint64_t>(rank)));
  }
}

TEST_CASE("merging a small sketch is adding its values") {
  Sketch sketch = of({10, 1000});
  sketch.merge(of({0, 3, 1000, 50'000}));
  REQUIRE(sketch == of({10, 1000, 0, 3, 1000, 50'000}));
}

TEST_CASE("merging into an empty sketch copies") {
  std::mt19937_64 random(3);
  const Sketch many = random_sketch(random, 1000);
  Sketch sketch;
  sketch.merge(many);
  REQUIRE(sketch == many);
}

TEST_CASE("merging a sketch with itself doubles it") {
  Sketch sketch = of({0, 10, 1000});
  sketch.merge(sketch);
  REQUIRE(sketch == of({0, 0, 10, 10, 1000, 1000}));
}

TEST_CASE("large sketches merge to the same in any order") {
  const std::uint64_t seed = 99;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<Sketch> parts;
  for (std::size_t i = 0; i < 40; ++i) parts.push_back(random_sketch(random, 1 + random() % 2000U));
  for (std::size_t i = 0; i < 10; ++i) parts[i * 4].coarsen();
  Sketch forward;
  for (const Sketch& part : parts) forward.merge(part);
  for (int shuffle = 0; shuffle < 20; ++shuffle) {
    std::shuffle(parts.begin(), parts.end(), random);
    Sketch other;
    for (const Sketch& part : parts) other.merge(part);
    REQUIRE(other == forward);
  }
  require_trimmed(forward);
}

TEST_CASE("merging takes memory only where the sketch grows") {
  std::mt19937_64 random(59);
  Sketch sketch = of({1, kMax});
  const std::uint64_t* const memory = sketch.counts().data();
  for (int i = 0; i < 50; ++i) sketch.merge(random_sketch(random, 200));
  sketch.merge(samples::coarsened(random_sketch(random, 200), 5));
  REQUIRE(sketch.counts().data() == memory);
}

TEST_CASE("an empty sketch makes no other coarser in its counts, only in its scale") {
  Sketch sketch = of({5, 500});
  sketch.merge(samples::coarsened({}, 2));
  REQUIRE(sketch == samples::coarsened(of({5, 500}), 2));
  Sketch empty = samples::coarsened({}, 2);
  empty.merge(of({5, 500}));
  REQUIRE(empty == sketch);
}

TEST_CASE("the coarser scale wins a merge, whichever side it is on") {
  std::mt19937_64 random(11);
  const Sketch fine = random_sketch(random, 300);
  Sketch coarse = random_sketch(random, 300);
  for (int i = 0; i < 3; ++i) coarse.coarsen();
  Sketch a = fine;
  a.merge(coarse);
  Sketch b = coarse;
  b.merge(fine);
  REQUIRE(a == b);
  REQUIRE(a.scale() == Sketch::kScale - 3);
  REQUIRE(a.count() == fine.count() + coarse.count());
}

TEST_CASE("coarsening commutes with adding") {
  std::mt19937_64 random(13);
  Sketch before;
  Sketch after;
  for (int i = 0; i < 3; ++i) after.coarsen();
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t value = random() >> (random() % 64U);
    before.add(value);
    after.add(value);
  }
  for (int i = 0; i < 3; ++i) before.coarsen();
  REQUIRE(before == after);
}

TEST_CASE("coarsening keeps the count and ends at the coarsest scale") {
  std::mt19937_64 random(17);
  Sketch sketch = random_sketch(random, 500);
  const std::uint64_t count = sketch.count();
  const std::uint64_t zeros = sketch.zero_count();
  for (int i = 0; i < 20; ++i) {
    sketch.coarsen();
    REQUIRE(sketch.count() == count);
    REQUIRE(sketch.zero_count() == zeros);
    require_trimmed(sketch);
  }
  REQUIRE(sketch.scale() == Sketch::kScaleMin);
  REQUIRE(sketch.counts().size() <= 5);
}

TEST_CASE("a sketch survives the way through its parts") {
  std::mt19937_64 random(19);
  for (std::size_t size : {0U, 1U, 2U, 1000U}) {
    const Sketch sketch = random_sketch(random, size);
    Sketch copy = of({1, 2, 3});
    REQUIRE(copy.assign(sketch.scale(), sketch.zero_count(), sketch.offset(), sketch.counts()));
    REQUIRE(copy == sketch);
  }
}

TEST_CASE("zeros at both ends of parts are trimmed") {
  Sketch sketch;
  REQUIRE(sketch.assign(6, 0, 10, {0, 0, 5, 0, 7, 0}));
  REQUIRE(sketch.offset() == 12);
  REQUIRE(sketch.counts() == std::vector<std::uint64_t>{5, 0, 7});
  REQUIRE(sketch.assign(6, 3, std::numeric_limits<int>::max(), {0, 0}));
  REQUIRE(sketch.offset() == 0);
  REQUIRE(sketch.counts().empty());
  REQUIRE(sketch.zero_count() == 3);
}

TEST_CASE("parts that cannot be are refused and leave the sketch empty") {
  constexpr int kIntMax = std::numeric_limits<int>::max();
  constexpr int kIntMin = std::numeric_limits<int>::min();
  struct Garbage {
    int scale;
    std::uint64_t zeros;
    int offset;
    std::vector<std::uint64_t> counts;
  };
  const std::vector<Garbage> all = {
      {7, 0, 0, {1}},
      {-5, 0, 0, {1}},
      {kIntMax, 0, 0, {1}},
      {kIntMin, 0, 0, {1}},
      {6, 0, -2, {1}},
      {6, 0, 4096, {1}},
      {6, 0, 4095, {1, 1}},
      {6, 0, kIntMax, {1, 1}},
      {6, 0, kIntMin, {1, 1}},
      {6, 0, kIntMax, {0, 1}},
      {0, 0, 64, {1}},
      {-4, 0, 4, {1}},
      {6, kMax, 0, {1}},
      {6, 1, 0, {kMax}},
      {6, 0, 0, {kMax, kMax}},
      {6, 0, 0, {kMax - 1, 1, 1}},
      {6, 0, -1, std::vector<std::uint64_t>(4098, 1)},
      {6, 0, -1, std::vector<std::uint64_t>(100'000, 0)},
  };
  for (const Garbage& garbage : all) {
    Sketch sketch = of({1, 2, 3});
    INFO("scale " << garbage.scale << ", offset " << garbage.offset << ", " << garbage.counts.size() << " counts");
    REQUIRE_FALSE(sketch.assign(garbage.scale, garbage.zeros, garbage.offset, garbage.counts));
    REQUIRE(sketch == Sketch{});
  }
}

TEST_CASE("parts at the very edge of the possible are taken") {
  Sketch sketch;
  REQUIRE(sketch.assign(6, 0, -1, std::vector<std::uint64_t>(4097, 1)));
  REQUIRE(sketch.assign(6, 0, -2, {0, 1}));
  REQUIRE(sketch.assign(0, 0, 63, {1}));
  REQUIRE(sketch.assign(-4, 0, 3, {1}));
  REQUIRE(sketch.assign(6, kMax, 0, {}));
  REQUIRE(sketch.assign(6, 0, 0, {kMax}));
}

TEST_CASE("random garbage is refused or becomes a sketch that can be used") {
  const std::uint64_t seed = 23;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 5000; ++i) {
    std::vector<std::uint64_t> counts(random() % 200U);
    for (auto& count : counts) count = random() >> (random() % 64U) >> 8U;
    Sketch sketch;
    const int scale = static_cast<int>(random() % 14U) - 6;
    const int offset = static_cast<int>(random() % 6000U) - 500;
    if (!sketch.assign(scale, random() % 3U, offset, counts)) {
      REQUIRE(sketch == Sketch{});
      continue;
    }
    require_trimmed(sketch);
    REQUIRE(sketch.quantile(0.5) >= 0);
    sketch.merge(sketch);
    sketch.coarsen();
    sketch.add(1);
    sketch.add(kMax);
    require_trimmed(sketch);
  }
}

}  // namespace
}  // namespace kleptometrics
