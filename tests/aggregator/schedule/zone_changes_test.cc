// Occurrences where the clock of a place is changed.
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "aggregator/schedule/zone.h"
#include "tests/aggregator/schedule/specs.h"

namespace kleptometrics::aggregator::schedule {
namespace {

constexpr Nanos kMinute = 60 * kNanosPerSecond;
constexpr Nanos kHour = 60 * kMinute;

using Texts = std::vector<std::string>;

// All occurrences after the one instant and up to the other, in UTC; asked both ways.
Texts between(const std::string& cron, const std::string& zone, const std::string& after, const std::string& until) {
  const Schedule schedule = read(spec_of(cron, zone));
  std::vector<Nanos> found;
  for (auto next = schedule.next(at(after)); next && *next <= at(until); next = schedule.next(*next)) {
    found.push_back(*next);
  }
  std::vector<Nanos> back;
  for (auto last = schedule.previous(at(until)); last && *last > at(after); last = schedule.previous(*last - 1)) {
    back.insert(back.begin(), *last);
  }
  CHECK(found == back);
  Texts texts;
  for (const Nanos instant : found) texts.push_back(instant_text(instant));
  return texts;
}

TEST_CASE("an occurrence in the hour that is left out comes at its end") {
  CHECK(between("30 2 * * *", "Europe/Berlin", "2024-03-30T00:00:00Z", "2024-04-01T12:00:00Z") ==
        Texts{"2024-03-30T01:30:00Z", "2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"});
  CHECK(between("30 2 * * *", "America/New_York", "2024-03-09T00:00:00Z", "2024-03-11T12:00:00Z") ==
        Texts{"2024-03-09T07:30:00Z", "2024-03-10T07:00:00Z", "2024-03-11T06:30:00Z"});
}

TEST_CASE("all that is left out at once comes as one, also with what is due then") {
  CHECK(between("*/20 * * * *", "Europe/Berlin", "2024-03-31T00:20:00Z", "2024-03-31T01:20:00Z") ==
        Texts{"2024-03-31T00:40:00Z", "2024-03-31T01:00:00Z", "2024-03-31T01:20:00Z"});
  CHECK(between("10,50 2 * * *", "Europe/Berlin", "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z") ==
        Texts{"2024-03-31T01:00:00Z"});
}

TEST_CASE("an occurrence in the hour that comes twice comes the first time") {
  CHECK(between("30 2 * * *", "Europe/Berlin", "2024-10-26T12:00:00Z", "2024-10-28T12:00:00Z") ==
        Texts{"2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"});
  CHECK(between("30 1 * * *", "America/New_York", "2024-11-02T12:00:00Z", "2024-11-04T12:00:00Z") ==
        Texts{"2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z"});
}

TEST_CASE("while an hour comes the second time there is no occurrence") {
  CHECK(between("*/20 * * * *", "Europe/Berlin", "2024-10-27T00:20:00Z", "2024-10-27T02:20:00Z") ==
        Texts{"2024-10-27T00:40:00Z", "2024-10-27T02:00:00Z", "2024-10-27T02:20:00Z"});
  const Schedule schedule = read(spec_of("* * * * *", "Europe/Berlin"));
  CHECK(text_of(schedule.next(at("2024-10-27T01:15:30Z"))) == "2024-10-27T02:00:00Z");
  CHECK(text_of(schedule.previous(at("2024-10-27T01:15:30Z"))) == "2024-10-27T00:59:00Z");
}

TEST_CASE("a clock may be changed by half an hour") {
  // Forward on 6 October 2024, 02:00 to 02:30, and back on 7 April, 02:00 to 01:30.
  CHECK(between("*/15 * * * *", "Australia/Lord_Howe", "2024-10-05T15:00:00Z", "2024-10-05T16:00:00Z") ==
        Texts{"2024-10-05T15:15:00Z", "2024-10-05T15:30:00Z", "2024-10-05T15:45:00Z", "2024-10-05T16:00:00Z"});
  CHECK(between("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z", "2024-10-06T20:00:00Z") ==
        Texts{"2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z"});
  CHECK(between("45 1 * * *", "Australia/Lord_Howe", "2024-04-06T00:00:00Z", "2024-04-07T20:00:00Z") ==
        Texts{"2024-04-06T14:45:00Z", "2024-04-07T15:15:00Z"});
}

TEST_CASE("a clock that is never changed stands where it stands") {
  CHECK(between("0 9 * * *", "Asia/Kolkata", "2024-03-30T00:00:00Z", "2024-04-01T00:00:00Z") ==
        Texts{"2024-03-30T03:30:00Z", "2024-03-31T03:30:00Z"});
}

TEST_CASE("occurrences of a day that is left out come at its end, as one") {
  // Samoa had no 30 December 2011.
  CHECK(between("0 6,18 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z") ==
        Texts{"2011-12-29T16:00:00Z", "2011-12-30T04:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z",
              "2011-12-31T04:00:00Z"});
  CHECK(between("0 0 30 * *", "Pacific/Apia", "2011-12-01T12:00:00Z", "2012-01-31T00:00:00Z") ==
        Texts{"2011-12-30T10:00:00Z", "2012-01-29T10:00:00Z"});
}

TEST_CASE("a midnight that is left out comes when the day begins") {
  CHECK(between("@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z") ==
        Texts{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"});
}

// The instants around each change of a zone's clock from 1970 to 2037.
std::vector<Nanos> changes_of(const absl::TimeZone& zone) {
  std::vector<Nanos> changes;
  absl::TimeZone::CivilTransition change;
  absl::Time time = absl::FromUnixSeconds(0);
  while (zone.NextTransition(time, &change)) {
    time = zone.At(change.to).trans;
    // Of a clock put back, what it shows then it showed before as well: the change is the later of the two.
    if (zone.At(change.to).kind == absl::TimeZone::TimeInfo::UNIQUE) time = zone.At(change.to).pre;
    if (time > absl::FromUnixSeconds(2'140'000'000)) break;
    changes.push_back(absl::ToUnixNanos(time));
  }
  return changes;
}

// By its definition: the first of all minutes that match, each at the instant where it is due.
Nanos next_by_hand(const Cron& cron, const absl::TimeZone& zone, Nanos after) {
  absl::CivilMinute minute(absl::ToCivilMinute(absl::FromUnixNanos(after), zone) - 60 * 30);
  while (!cron.matches(minute) || absl::ToUnixNanos(absl::FromCivil(minute, zone)) <= after) ++minute;
  return absl::ToUnixNanos(absl::FromCivil(minute, zone));
}

TEST_CASE("around every change of a clock the next occurrence is the first of all that are due") {
  for (const char* const name :
       {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "Africa/Monrovia",
        "Africa/Casablanca", "Europe/Dublin", "America/Sao_Paulo", "Pacific/Kwajalein", "Antarctica/Troll"}) {
    const auto zone = *find_time_zone(name);
    for (const char* const text : {"* * * * *", "*/20 * * * *", "30 2 * * *", "15 0-3 * * *"}) {
      const Schedule schedule = read(spec_of(text, name));
      const Cron cron = *Cron::parse(text);
      for (const Nanos change : changes_of(zone)) {
        for (const Nanos offset : {-3 * kHour, -kHour - 1, -kHour, -30 * kMinute, -Nanos{1}, Nanos{0}, Nanos{1},
                                   30 * kMinute, kHour - kMinute, kHour, 3 * kHour}) {
          INFO(name << " " << text << " " << instant_text(change + offset));
          const auto next = schedule.next(change + offset);
          REQUIRE(next == next_by_hand(cron, zone, change + offset));
          REQUIRE(schedule.previous(*next) == next);
          REQUIRE(schedule.previous(*next - 1) <= change + offset);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::schedule
