#include "aggregator/schedule/cron.h"

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::schedule {
namespace {

using absl::CivilMinute;

Cron cron(const std::string& text) {
  const auto parsed = Cron::parse(text);
  INFO(text << " " << parsed.status().ToString());
  REQUIRE(parsed.ok());
  return *parsed;
}

std::string refusal(const std::string& text) {
  const auto parsed = Cron::parse(text);
  INFO(text);
  REQUIRE(!parsed.ok());
  CHECK(absl::IsInvalidArgument(parsed.status()));
  return std::string(parsed.status().message());
}

CivilMinute minute(const std::string& text) {
  CivilMinute parsed;
  REQUIRE(absl::ParseCivilTime(text, &parsed));
  return parsed;
}

std::string text_of(std::optional<CivilMinute> at) { return at ? absl::FormatCivilTime(*at) : "never"; }

// The first of the expression's minutes from the given one on.
std::vector<std::string> first(int count, const std::string& text, const std::string& from) {
  std::vector<std::string> found;
  CivilMinute at = minute(from);
  for (int i = 0; i < count; ++i) {
    const auto next = cron(text).at_or_after(at);
    found.push_back(text_of(next));
    if (!next) break;
    at = *next + 1;
  }
  return found;
}

TEST_CASE("every field of a cron expression restricts") {
  CHECK(text_of(cron("30 4 1 6 *").at_or_after(minute("2024-03-05T12:00"))) == "2024-06-01T04:30");
  CHECK(first(3, "*/20 * * * *", "2024-03-05T12:01") ==
        std::vector<std::string>{"2024-03-05T12:20", "2024-03-05T12:40", "2024-03-05T13:00"});
  CHECK(first(3, "15 22-23 * * *", "2024-12-31T22:16") ==
        std::vector<std::string>{"2024-12-31T23:15", "2025-01-01T22:15", "2025-01-01T23:15"});
  CHECK(first(3, "0 0 * * 1,3", "2024-03-05T00:00") ==
        std::vector<std::string>{"2024-03-06T00:00", "2024-03-11T00:00", "2024-03-13T00:00"});
  CHECK(first(3, "59 23 31 * *", "2024-03-31T23:59") ==
        std::vector<std::string>{"2024-03-31T23:59", "2024-05-31T23:59", "2024-07-31T23:59"});
}

TEST_CASE("the minute that is asked about counts") {
  CHECK(text_of(cron("5 4 * * *").at_or_after(minute("2024-03-05T04:05"))) == "2024-03-05T04:05");
  CHECK(text_of(cron("5 4 * * *").at_or_before(minute("2024-03-05T04:05"))) == "2024-03-05T04:05");
  CHECK(text_of(cron("5 4 * * *").at_or_before(minute("2024-03-05T04:04"))) == "2024-03-04T04:05");
}

TEST_CASE("blanks may surround fields, and numbers have leading zeros") {
  CHECK(cron(" \t05  04 01\t06 00 ") == cron("5 4 1 6 0"));
}

TEST_CASE("months and days of the week have names, in any case") {
  CHECK(cron("0 0 * jan-Mar,DEC *") == cron("0 0 * 1-3,12 *"));
  CHECK(cron("0 0 * * mon-FRI/2,Sun") == cron("0 0 * * 1-5/2,0"));
}

TEST_CASE("Sunday is 0 and 7, and ends a week as well as it begins one") {
  CHECK(cron("0 0 * * 7") == cron("0 0 * * 0"));
  CHECK(cron("0 0 * * fri-sun") == cron("0 0 * * 0,5,6"));
  CHECK(cron("0 0 * * 5-7") == cron("0 0 * * 0,5,6"));
  CHECK(cron("0 0 * * 0-2") == cron("0 0 * * sun,mon,tue"));
  CHECK(cron("0 0 * * sun-sun") == cron("0 0 * * 0"));
  CHECK(cron("0 0 * * */7") == cron("0 0 * * */8"));
}

TEST_CASE("steps go from the beginning of a range, or from a number to the end") {
  CHECK(cron("10-30/10 * * * *") == cron("10,20,30 * * * *"));
  CHECK(cron("50/4 * * * *") == cron("50,54,58 * * * *"));
  CHECK(cron("0 5/9 * * *") == cron("0 5,14,23 * * *"));
  CHECK(cron("0 0 29/1 * *") == cron("0 0 29,30,31 * *"));
  CHECK(cron("0 0 * 11/1 *") == cron("0 0 * 11,12 *"));
  CHECK(cron("*/90 * * * *") == cron("0 * * * *"));
  CHECK(cron("*/4000000000 * * * *") == cron("0 * * * *"));
}

TEST_CASE("lists may overlap and name a value twice") { CHECK(cron("1,1-3,2 * * * *") == cron("1-3 * * * *")); }

TEST_CASE("a nickname is what it stands for, in any case") {
  CHECK(cron("@hourly") == cron("0 * * * *"));
  CHECK(cron("@daily") == cron("0 0 * * *"));
  CHECK(cron(" @Midnight ") == cron("0 0 * * *"));
  CHECK(cron("@WEEKLY") == cron("0 0 * * 0"));
  CHECK(cron("@monthly") == cron("0 0 1 * *"));
  CHECK(cron("@yearly") == cron("0 0 1 1 *"));
  CHECK(cron("@annually") == cron("@yearly"));
}

TEST_CASE("where both kinds of days are restricted, one of them is enough") {
  CHECK(first(4, "0 0 13 * 5", "2024-09-01T00:00") ==
        std::vector<std::string>{"2024-09-06T00:00", "2024-09-13T00:00", "2024-09-20T00:00", "2024-09-27T00:00"});
  CHECK(text_of(cron("0 0 13 * 5").at_or_after(minute("2024-10-12T00:00"))) == "2024-10-13T00:00");
  // The whole month in figures restricts: every day matches.
  CHECK(cron("0 0 1-31 * 5").matches(minute("2024-10-12T00:00")));
}

TEST_CASE("where a field of days begins with a star, both must match") {
  CHECK(first(2, "0 0 */2 * 1", "2024-09-01T00:00") ==
        std::vector<std::string>{"2024-09-09T00:00", "2024-09-23T00:00"});
  CHECK(first(2, "0 0 13 * */5", "2024-09-01T00:00") ==
        std::vector<std::string>{"2024-09-13T00:00", "2024-10-13T00:00"});
  CHECK(cron("0 0 *,5 * 1").matches(minute("2024-09-02T00:00")));
  CHECK_FALSE(cron("0 0 *,5 * 1").matches(minute("2024-09-05T00:00")));
  // The star must come first.
  CHECK(cron("0 0 5,*/31 * 1").matches(minute("2024-09-02T00:00")));
}

TEST_CASE("leap days are waited for, also past a century that has none") {
  CHECK(text_of(cron("0 0 29 2 *").at_or_after(minute("2024-03-01T00:00"))) == "2028-02-29T00:00");
  CHECK(text_of(cron("0 0 29 2 *").at_or_after(minute("2096-03-01T00:00"))) == "2104-02-29T00:00");
  CHECK(text_of(cron("0 0 29 2 *").at_or_before(minute("2104-02-28T00:00"))) == "2096-02-29T00:00");
  // On a Sunday, by a field that begins with a star.
  CHECK(text_of(cron("0 0 29 2 */7").at_or_after(minute("2088-03-01T00:00"))) == "2128-02-29T00:00");
}

TEST_CASE("every day of the week is a leap day within the years that are searched") {
  for (int day = 1; day < 7; ++day) {
    // Sunday, and what else the step reaches.
    const Cron leap = cron("0 0 29 2 */" + std::to_string(day));
    for (CivilMinute at = minute("1970-01-01T00:00"); at.year() < 2262; at += 60 * 24 * 365) {
      const auto next = leap.at_or_after(at);
      const auto last = leap.at_or_before(at + 60 * 24 * 365 * 60);
      REQUIRE(next);
      REQUIRE(last);
      REQUIRE(leap.matches(*next));
      REQUIRE(leap.matches(*last));
    }
  }
}

TEST_CASE("what a fault is and where it stands is said") {
  CHECK(refusal("75 * * * *") == "minute: 75 is beyond 59");
  CHECK(refusal("0 24 * * *") == "hour: 24 is beyond 23");
  CHECK(refusal("0 0 0 * *") == "day of month: 0 is below 1");
  CHECK(refusal("0 0 32 * *") == "day of month: 32 is beyond 31");
  CHECK(refusal("0 0 1 13 *") == "month: 13 is beyond 12");
  CHECK(refusal("0 0 1 0 *") == "month: 0 is below 1");
  CHECK(refusal("0 0 * * 8") == "day of week: 8 is beyond 7");
  CHECK(refusal("0 0 * * mond") == "day of week: `mond` is neither a number nor a name of three letters");
  CHECK(refusal("0 0 * jan-foo *") == "month: `foo` is neither a number nor a name of three letters");
  CHECK(refusal("x * * * *") == "minute: `x` is no number");
  CHECK(refusal("* mon * * *") == "hour: `mon` is no number");
  CHECK(refusal("5-1 * * * *") == "minute: `5-1` ends before it begins");
  CHECK(refusal("0 22-2 * * *") == "hour: `22-2` ends before it begins");
  CHECK(refusal("1,,2 * * * *") == "minute: `1,,2` has an empty place");
  CHECK(refusal("*/0 * * * *") == "minute: `*/0` has a step of 0");
  CHECK(refusal("*/x * * * *") == "minute: `*/x` has a step that is no number");
  CHECK(refusal("*/ * * * *") == "minute: `*/` has a step that is no number");
  CHECK(refusal(", * * * *") == "minute: `,` has an empty place");
  CHECK(refusal("/5 * * * *") == "minute: `/5` has a step of nothing");
  CHECK(refusal("-5 * * * *") == "minute: `-5` lacks a number");
  CHECK(refusal("5- * * * *") == "minute: `5-` lacks a number");
  CHECK(refusal("1-*/2 * * * *") == "minute: `*` is no number");
  CHECK(refusal("99999999999999999999 * * * *") == "minute: `99999999999999999999` is beyond 59");
}

TEST_CASE("what belongs to other schedulers is refused") {
  for (const char* const text : {"0 0 ? * 1", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#3", "H * * * *", "+5 * * * *",
                                 "*5 * * * *", "** * * * *", "1/2/3 * * * *", "1-2-3 * * * *"}) {
    refusal(text);
  }
  CHECK(refusal("0 0 0 1 1 *") ==
        "`0 0 0 1 1 *` has 6 fields; an expression has 5: minute, hour, day of month, month, day of week");
  CHECK(refusal("daily") == "`daily` has 1 field; an expression has 5: minute, hour, day of month, month, day of week");
  CHECK(refusal("").find("has 0 fields") != std::string::npos);
  CHECK(refusal("@reboot") ==
        "`@reboot` is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually");
}

TEST_CASE("an expression that never comes is refused") {
  CHECK(refusal("0 0 31 2 *") == "day of month: `31` is no day of any month in `2`");
  CHECK(refusal("0 0 30,31 feb *") == "day of month: `30,31` is no day of any month in `feb`");
  CHECK(refusal("0 0 31 4,6,9,11 */2") == "day of month: `31` is no day of any month in `4,6,9,11`");
  // The days of the week are enough.
  CHECK(text_of(cron("0 0 31 2 1").at_or_after(minute("2024-01-01T00:00"))) == "2024-02-05T00:00");
  CHECK(text_of(cron("0 0 31 2,3 *").at_or_after(minute("2024-01-01T00:00"))) == "2024-03-31T00:00");
}

TEST_CASE("a text of any length is read in time that grows with it alone") {
  std::string list = "0";
  for (int i = 0; i < 100'000; ++i) list += ",*/1";
  CHECK(cron(list + " * * * *") == cron("* * * * *"));
  CHECK(refusal(std::string(100'000, '9') + " * * * *").size() < 400);
  CHECK(refusal(std::string(1'000'000, ' ') + "x").size() < 400);
}

}  // namespace
}  // namespace kleptometrics::aggregator::schedule
