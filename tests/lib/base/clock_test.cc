#include "lib/base/clock.h"

#include <ctime>

#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

Nanos read(clockid_t id) {
  timespec at{};
  ::clock_gettime(id, &at);
  return at.tv_sec * kNanosPerSecond + at.tv_nsec;
}

TEST_CASE("the steady hand lies between two readings of the monotonic clock") {
  const Nanos before = read(CLOCK_MONOTONIC);
  const Nanos steady = system_clock().now().steady;
  REQUIRE(steady >= before);
  REQUIRE(steady <= read(CLOCK_MONOTONIC));
}

TEST_CASE("the wall hand is the real-time clock") {
  // A step of the machine's clock between the readings would be a step of both: a day is leeway enough.
  const Nanos difference = system_clock().now().wall - read(CLOCK_REALTIME);
  REQUIRE(difference < 86'400 * kNanosPerSecond);
  REQUIRE(difference > -86'400 * kNanosPerSecond);
}

TEST_CASE("the steady hand never goes back") {
  Nanos last = system_clock().now().steady;
  for (int i = 0; i < 10'000; ++i) {
    const Nanos now = system_clock().now().steady;
    REQUIRE(now >= last);
    last = now;
  }
}

TEST_CASE("there is one system clock") { REQUIRE(&system_clock() == &system_clock()); }

}  // namespace
}  // namespace kleptometrics
