#include "lib/base/instant.h"

#include <limits>

#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

constexpr Nanos kSecond = kNanosPerSecond;
constexpr Nanos kNanosMax = std::numeric_limits<Nanos>::max();
constexpr Nanos kNanosMin = std::numeric_limits<Nanos>::min();

TEST_CASE("an instant is written in UTC with fractional digits only as needed") {
  CHECK(instant_text(0) == "1970-01-01T00:00:00Z");
  CHECK(instant_text(1'700'000'000 * kSecond) == "2023-11-14T22:13:20Z");
  CHECK(instant_text(1'700'000'000 * kSecond + 500'000'000) == "2023-11-14T22:13:20.5Z");
  CHECK(instant_text(1'700'000'000 * kSecond + 1'000) == "2023-11-14T22:13:20.000001Z");
  CHECK(instant_text(1) == "1970-01-01T00:00:00.000000001Z");
  CHECK(instant_text(-1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(instant_text(951'782'400 * kSecond) == "2000-02-29T00:00:00Z");
  CHECK(instant_text(kNanosMax) == "2262-04-11T23:47:16.854775807Z");
  CHECK(instant_text(kNanosMin) == "1677-09-21T00:12:43.145224192Z");
}

}  // namespace
}  // namespace kleptometrics
