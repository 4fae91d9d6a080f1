#include "aggregator/http/time_text.h"

#include <cstdint>
#include <limits>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr Nanos kSecond = kNanosPerSecond;
constexpr Nanos kNanosMax = std::numeric_limits<Nanos>::max();

TEST_CASE("every form of RFC 3339 is read") {
  struct Case {
    const char* text;
    Nanos at;
  };
  const Case cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2023-11-14T22:13:20Z", 1'700'000'000 * kSecond},
      {"2023-11-14t22:13:20z", 1'700'000'000 * kSecond},
      {"2023-11-14T22:13:20.5Z", 1'700'000'000 * kSecond + 500'000'000},
      {"2023-11-14T22:13:20.000000001Z", 1'700'000'000 * kSecond + 1},
      {"2023-11-14T22:13:20.100000000Z", 1'700'000'000 * kSecond + 100'000'000},
      {"2023-11-14T23:13:20+01:00", 1'700'000'000 * kSecond},
      {"2023-11-14T16:43:20-05:30", 1'700'000'000 * kSecond},
      {"2023-11-14T22:13:20-00:00", 1'700'000'000 * kSecond},
      {"2023-11-15T22:12:20+23:59", 1'700'000'000 * kSecond},
      {"1985-04-12T23:20:50.52Z", 482'196'050 * kSecond + 520'000'000},
      {"1990-12-31T23:59:60Z", 662'688'000 * kSecond},
      {"1990-12-31T15:59:60-08:00", 662'688'000 * kSecond},
      {"1937-01-01T12:00:27.87+00:20", -1'041'337'172'130'000'000},
      {"2000-02-29T00:00:00Z", 951'782'400 * kSecond},
      {"2262-04-11T23:47:16.854775807Z", kNanosMax},
  };
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK(parse_instant(one.text) == one.at);
  }
}

TEST_CASE("what is no instant is refused") {
  const char* const cases[] = {
      "",
      "now",
      "1700000000",
      "2023-11-14",
      "2023-11-14T22:13:20",
      "2023-11-14T22:13Z",
      "2023-11-14 22:13:20Z",
      "2023-11-14T22:13:20Z ",
      " 2023-11-14T22:13:20Z",
      "2023-11-14T22:13:20.Z",
      "2023-11-14T22:13:20,5Z",
      "2023-11-14T22:13:20.0000000001Z",
      "2023-13-14T22:13:20Z",
      "2023-00-14T22:13:20Z",
      "2023-02-29T22:13:20Z",
      "2023-04-31T22:13:20Z",
      "2023-11-00T22:13:20Z",
      "2023-11-14T24:00:00Z",
      "2023-11-14T22:60:00Z",
      "2023-11-14T22:13:60Z",
      "2023-11-14T22:13:61Z",
      "2023-11-14T22:13:20+24:00",
      "2023-11-14T22:13:20+01:60",
      "2023-11-14T22:13:20+0100",
      "2023-11-14T22:13:20+01",
      "2023-11-14T22:13:20ZZ",
      "+023-11-14T22:13:20Z",
      "-2023-11-14T22:13:20Z",
      "2023-1-14T22:13:20Z",
      "0000-01-01T00:00:00Z",
      "1677-09-20T00:00:00Z",
      "2262-04-11T23:47:16.854775808Z",
      "9999-12-31T23:59:59Z",
      "\xd9\xa2\xd9\xa0\xd9\xa2\xd9\xa3-11-14T22:13:20Z",
  };
  for (const char* text : cases) {
    INFO(text);
    CHECK_FALSE(parse_instant(text));
  }
  CHECK_FALSE(parse_instant(std::string_view("2023-11-14T22:13:20\0Z", 21)));
}

TEST_CASE("instants survive being written and read") {
  std::uint64_t state = 42;
  for (int i = 0; i < 10'000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto at = static_cast<Nanos>(state);
    INFO(at);
    REQUIRE(parse_instant(instant_text(at)) == at);
  }
}

TEST_CASE("lengths are digits and a unit") {
  CHECK(parse_length("30s") == 30 * kSecond);
  CHECK(parse_length("90m") == 90 * 60 * kSecond);
  CHECK(parse_length("36h") == 36 * 3600 * kSecond);
  CHECK(parse_length("7d") == 7 * 86400 * kSecond);
  CHECK(parse_length("4w") == 28 * 86400 * kSecond);
  CHECK(parse_length("0s") == 0);
  for (const char* text : {"", "7", "d", "7D", "-7d", "+7d", "7 d", "1.5h", "7dd", "7days", "99999999999s",
                           "9999999999w", "0x7d", "1h30m"}) {
    INFO(text);
    CHECK_FALSE(parse_length(text));
  }
}

TEST_CASE("seconds keep the nanosecond up to 97 days") {
  for (const Nanos nanos : {Nanos{0}, Nanos{1}, Nanos{999}, Nanos{1'000}, kSecond - 1, kSecond, kSecond + 1,
                            86'400 * kSecond + 7, (Nanos{1} << 23U) * kSecond - 1}) {
    INFO(nanos);
    CHECK(nanos_of(seconds_of(static_cast<std::uint64_t>(nanos))) == nanos);
  }
  std::uint64_t state = 7;
  for (int i = 0; i < 100'000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto nanos = static_cast<Nanos>((state >> 11U) % ((std::uint64_t{1} << 23U) * 1'000'000'000U));
    if (nanos_of(seconds_of(static_cast<std::uint64_t>(nanos))) != nanos) FAIL(nanos);
  }
}

TEST_CASE("seconds are rounded to the nearest nanosecond, and refused where they do not fit") {
  CHECK(nanos_of(1.5) == 1'500'000'000);
  CHECK(nanos_of(0.000001) == 1'000);
  CHECK(nanos_of(0.1) == 100'000'000);
  CHECK(nanos_of(1e-10) == 0);
  CHECK(nanos_of(1.9999999999) == 2 * kSecond);
  CHECK(nanos_of(-0.0) == 0);
  CHECK_FALSE(nanos_of(-1e-9));
  CHECK_FALSE(nanos_of(9.3e9));
  CHECK_FALSE(nanos_of(std::numeric_limits<double>::infinity()));
  CHECK_FALSE(nanos_of(std::numeric_limits<double>::quiet_NaN()));
  CHECK(signed_seconds_of(-1'500'000'000) == -1.5);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
