#include "aggregator/forward/back_off.h"

#include <set>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

TEST_CASE("each wait lies in the upper half of a step that doubles, from a tenth of a second to half a minute") {
  BackOff back_off(GENERATE(0U, 1U, 2U, 3U));
  Nanos step = 2 * BackOff::kShortest;
  for (int i = 0; i < 20; ++i) {
    const Nanos wait = back_off.next();
    REQUIRE(wait >= step / 2);
    REQUIRE(wait <= step);
    REQUIRE(wait >= BackOff::kShortest);
    step = std::min(2 * step, BackOff::kLongest);
  }
  REQUIRE(step == BackOff::kLongest);
  back_off.reset();
  REQUIRE(back_off.next() <= 2 * BackOff::kShortest);
}

TEST_CASE("two who lost the same peer at one instant do not come back at one instant") {
  std::set<Nanos> waits;
  for (std::uint64_t seed = 0; seed < 100; ++seed) waits.insert(BackOff(seed).next());
  REQUIRE(waits.size() > 95);
}

}  // namespace
}  // namespace kleptometrics::aggregator
