#include "aggregator/stats/ranks.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using Values = std::vector<double>;

RankTest rank_test(const Values& window, const Values& baseline) {
  const auto test = mann_whitney(window, baseline);
  REQUIRE(test);
  return *test;
}

bool close(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b)); }

Values repeated(double value, std::size_t times) { return Values(times, value); }

Values drawn(std::mt19937& random, std::size_t count, double mean, double sigma) {
  std::normal_distribution<double> normal(mean, sigma);
  Values values(count);
  for (double& value : values) value = std::exp(normal(random));
  return values;
}

Sketch sketch_of(const Values& seconds) {
  Sketch sketch;
  for (const double value : seconds) sketch.add(static_cast<std::uint64_t>(value * 1e9));
  return sketch;
}

TEST_CASE("small samples without ties are judged by all their orders") {
  // 5 against 5, all of the one above all of the other: 2 of the 252 orders are as far apart.
  const RankTest apart = rank_test({6, 7, 8, 9, 10}, {1, 2, 3, 4, 5});
  CHECK(apart.probability_slower == 1);
  CHECK(apart.effect_size() == 1);
  CHECK(close(apart.p_value, 2.0 / 252));
  // 1 4 6 against 2 3 5 7: U = 0 + 2 + 3 = 5 of 12. Of the 35 orders 1, 1, 2, 3, 4 and 4 have U = 0 to 5.
  const RankTest mixed = rank_test({4, 1, 6}, {7, 2, 5, 3});
  CHECK(close(mixed.probability_slower, 5.0 / 12));
  CHECK(close(mixed.p_value, 2 * 15.0 / 35));
  CHECK(rank_test({1}, {2}).p_value == 1);
  // 20 against 20, all apart: 2 of (40 over 20) orders.
  Values low;
  Values high;
  for (int i = 0; i < 20; ++i) {
    low.push_back(i);
    high.push_back(100 + i);
  }
  CHECK(rank_test(high, low).p_value / (2.0 / 137846528820.0) - 1 < 1e-12);
}

TEST_CASE("the exact test agrees with counting every order") {
  // All ways of 4 and 3 values to be in order, by the bits of a number.
  for (unsigned chosen = 0; chosen < 128; ++chosen) {
    Values sides[2];
    for (unsigned i = 0; i < 7; ++i) sides[(chosen >> i) & 1U].push_back(i);
    if (sides[0].size() != 4) continue;
    const RankTest test = rank_test(sides[0], sides[1]);
    double as_far = 0;
    for (unsigned other = 0; other < 128; ++other) {
      double above = 0;
      double first = 0;
      double second = 0;
      for (unsigned i = 0; i < 7; ++i) {
        const bool of_first = ((other >> i) & 1U) == 0;
        if (of_first) above += second;
        (of_first ? first : second) += 1;
      }
      if (first == 4 && std::abs(above - 6) >= std::abs(test.probability_slower * 12 - 6) - 1e-9) ++as_far;
    }
    CHECK(close(test.p_value, std::min(1.0, as_far / 35)));
  }
}

TEST_CASE("larger samples are judged by the normal approximation with its corrections") {
  // 1 .. 30 against 30.5 .. 59.5: mean 450, variance 900 * 61 / 12.
  Values low;
  Values high;
  for (int i = 1; i <= 30; ++i) {
    low.push_back(i);
    high.push_back(29.5 + i);
  }
  const double deviation = std::sqrt(900.0 * 61 / 12);
  CHECK(close(rank_test(high, low).p_value, std::erfc(449.5 / deviation / std::sqrt(2.0))));
}

TEST_CASE("ties count half, and make the test less certain") {
  // 1 2 2 against 2 3: pairs above 0, equal 2: U = 1 of 6. Ranks: one group of three equal values, 27 - 3 = 24.
  const RankTest test = rank_test({1, 2, 2}, {2, 3});
  CHECK(close(test.probability_slower, 1.0 / 6));
  CHECK(close(test.effect_size(), 2.0 / 6 - 1));
  const double variance = 6.0 / 12 * (6 - 24.0 / (5 * 4));
  CHECK(close(test.p_value, std::erfc((2 - 0.5) / std::sqrt(variance) / std::sqrt(2.0))));
}

TEST_CASE("equal samples show nothing") {
  CHECK(rank_test(repeated(3, 9), repeated(3, 4)).p_value == 1);
  CHECK(rank_test(repeated(3, 9), repeated(3, 4)).probability_slower == 0.5);
  CHECK(rank_test({1, 2, 3}, {1, 2, 3}).p_value == 1);
  CHECK(rank_test({1}, {1}).p_value == 1);
  CHECK(rank_test({2}, {1}).probability_slower == 1);
}

TEST_CASE("without values there is no test and no shift") {
  CHECK_FALSE(mann_whitney(Values{}, {1}));
  CHECK_FALSE(mann_whitney({1}, Values{}));
  CHECK_FALSE(mann_whitney(Sketch(), sketch_of({1})));
  CHECK_FALSE(mann_whitney(sketch_of({1}), Sketch()));
  CHECK_FALSE(hodges_lehmann({}, {1}));
  CHECK_FALSE(hodges_lehmann({1}, {}));
}

TEST_CASE("the two sides of the test mirror each other") {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    Values a(1 + random() % 20);
    Values b(1 + random() % 20);
    for (Values* values : {&a, &b}) {
      for (double& value : *values) value = static_cast<double>(random() % 10);
    }
    const RankTest ab = rank_test(a, b);
    const RankTest ba = rank_test(b, a);
    CHECK(close(ab.probability_slower + ba.probability_slower, 1));
    CHECK(close(ab.p_value, ba.p_value));
    double pairs = 0;
    for (const double x : a) {
      for (const double y : b) pairs += x > y ? 1 : x == y ? 0.5 : 0;
    }
    CHECK(close(ab.probability_slower, pairs / static_cast<double>(a.size() * b.size())));
    CHECK(ab.p_value >= 0);
    CHECK(ab.p_value <= 1);
  }
}

TEST_CASE("sketches give the test of the values that stand for their buckets") {
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    const Values a = drawn(random, 30 + random() % 300, 1, 0.4);
    const Values b = drawn(random, 30 + random() % 300, 1 + 0.002 * round, 0.4);
    const auto bucketed = [](const Values& values) {
      Values out;
      for (const double value : values) out.push_back(Sketch::bucket_of(static_cast<std::uint64_t>(value * 1e9)));
      return out;
    };
    const auto sketched = mann_whitney(sketch_of(a), sketch_of(b));
    const RankTest same = rank_test(bucketed(a), bucketed(b));
    REQUIRE(sketched);
    CHECK(close(sketched->probability_slower, same.probability_slower));
    CHECK(close(sketched->p_value, same.p_value));
    // Pairs in one bucket, about 1 in 100 here, count half: the exact answer is near.
    const RankTest exact = rank_test(a, b);
    CHECK(std::abs(sketched->probability_slower - exact.probability_slower) < 0.005);
    CHECK(std::abs(std::log(sketched->p_value / exact.p_value)) < 0.5);
  }
}

TEST_CASE("a coarser sketch is compared at its scale, and zeros are the lowest values") {
  Sketch fine = sketch_of({1, 2, 3, 4, 5, 6, 7, 8});
  Sketch coarse = sketch_of({10, 20, 30, 40});
  while (coarse.scale() > 0) coarse.coarsen();
  CHECK(mann_whitney(coarse, fine)->probability_slower > 0.95);
  CHECK(mann_whitney(fine, coarse)->probability_slower < 0.05);
  Sketch zeros;
  zeros.add_zero(10);
  CHECK(mann_whitney(fine, zeros)->probability_slower == 1);
  zeros.add(5'000'000'000);
  CHECK(close(mann_whitney(fine, zeros)->probability_slower, (8 * 10 + 3 + 0.5) / 88));
}

TEST_CASE("the shift is the median of all differences") {
  CHECK(hodges_lehmann({3}, {1}) == 2.0);
  CHECK(hodges_lehmann({1, 2, 3}, {1, 2, 3}) == 0.0);
  CHECK(hodges_lehmann({7, 5, 6}, {1, 2, 3}) == 4.0);
  std::mt19937 random(13);
  for (int round = 0; round < 50; ++round) {
    const Values a = drawn(random, 1 + random() % 40, 0, 1);
    const Values b = drawn(random, 1 + random() % 40, round % 3, 1);
    Values differences;
    for (const double x : a) {
      for (const double y : b) differences.push_back(x - y);
    }
    std::sort(differences.begin(), differences.end());
    CHECK(hodges_lehmann(a, b) == differences[(differences.size() + 1) / 2 - 1]);
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
