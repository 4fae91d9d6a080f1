#include "aggregator/stats/ladder.h"

#include <algorithm>
#include <random>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

Distribution of(const std::vector<std::uint64_t>& nanos) {
  Distribution values;
  for (const std::uint64_t each : nanos) values.add({{each, 0, false}, {}, 0});
  return values;
}

using Counts = std::vector<std::uint64_t>;

TEST_CASE("nothing is below any bound of nothing") {
  CHECK(counts_up_to({}, Counts{1, 1000}) == Counts{0, 0});
  CHECK(counts_up_to(of({5}), Counts{}).empty());
}

TEST_CASE("a value at a bound counts as below it, where it is the only one") {
  const std::uint64_t minute = 60'000'000'000;
  CHECK(counts_up_to(of({minute}), Counts{minute - 1, minute, minute + 1}) == Counts{0, 1, 1});
  CHECK(counts_up_to(of({0, 0, 7}), Counts{1, 7}) == Counts{2, 3});
  CHECK(counts_up_to(of({~std::uint64_t{0}}), Counts{1, ~std::uint64_t{0}}) == Counts{0, 1});
}

TEST_CASE("counts are right but for values within the sketch's error of a bound, and never fall") {
  std::mt19937_64 random(7);
  for (int coarser = 0; coarser < 4; ++coarser) {
    std::vector<std::uint64_t> nanos;
    for (int i = 0; i < 3000; ++i) nanos.push_back(random() >> (random() % 64));
    Distribution values = of(nanos);
    double error = Sketch::kRelativeError;
    for (int i = 0; i < coarser; ++i) {
      values.sketch.coarsen();
      error *= 2;
    }
    Counts bounds;
    for (int i = 0; i < 200; ++i) bounds.push_back((random() >> (random() % 63)) + 1);
    std::ranges::sort(bounds);
    const Counts counts = counts_up_to(values, bounds);
    CHECK(std::ranges::is_sorted(counts));
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const auto below = [&](double factor) {
        const double bound = static_cast<double>(bounds[i]) * factor;
        return static_cast<std::uint64_t>(
            std::ranges::count_if(nanos, [bound](std::uint64_t each) { return static_cast<double>(each) <= bound; }));
      };
      CAPTURE(coarser, bounds[i]);
      REQUIRE(counts[i] >= below(1 - 2 * error));
      REQUIRE(counts[i] <= below(1 + 2 * error));
    }
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
