#include "aggregator/query/calendar.h"

#include <algorithm>

#include "tests/aggregator/query/instants.h"

namespace kleptometrics::aggregator::query {
namespace {

constexpr Nanos kHour = 3600 * kNanosPerSecond;

// `start .. end`, in UTC, of the span that holds the instant.
std::string span(const char* zone, Unit unit, const std::string& text) {
  const auto found = find_time_zone(zone);
  REQUIRE(found);
  const Calendar::Span span = Calendar(*found, unit).span_of(at(text));
  CHECK(span.start <= at(text));
  CHECK(at(text) < span.end);
  return instant_text(span.start) + " .. " + instant_text(span.end);
}

// Spans from one instant to another: no gap, no overlap, the same for every instant within.
std::vector<Nanos> lengths(const char* zone, Unit unit, const std::string& from, const std::string& to) {
  const Calendar calendar(*find_time_zone(zone), unit);
  std::vector<Nanos> hours;
  for (Nanos instant = at(from); instant < at(to);) {
    const Calendar::Span span = calendar.span_of(instant);
    REQUIRE(span.start == instant);
    REQUIRE(span.end > span.start);
    REQUIRE(calendar.span_of(span.end - 1).start == span.start);
    REQUIRE(calendar.span_of(span.start + (span.end - span.start) / 2).end == span.end);
    hours.push_back((span.end - span.start) / kHour);
    instant = span.end;
  }
  return hours;
}

TEST_CASE("in UTC a day is a day and an hour an hour") {
  CHECK(span("UTC", Unit::kHour, "2024-02-29T13:59:59.999Z") == "2024-02-29T13:00:00Z .. 2024-02-29T14:00:00Z");
  CHECK(span("UTC", Unit::kDay, "2024-02-29T00:00:00Z") == "2024-02-29T00:00:00Z .. 2024-03-01T00:00:00Z");
  CHECK(span("UTC", Unit::kMonth, "2024-02-29T13:00:00Z") == "2024-02-01T00:00:00Z .. 2024-03-01T00:00:00Z");
  CHECK(span("UTC", Unit::kMonth, "2023-12-31T23:59:59Z") == "2023-12-01T00:00:00Z .. 2024-01-01T00:00:00Z");
  CHECK(span("UTC", Unit::kDay, "1970-01-01T00:00:00Z") == "1970-01-01T00:00:00Z .. 1970-01-02T00:00:00Z");
}

TEST_CASE("weeks start on Monday") {
  CHECK(span("UTC", Unit::kWeek, "2024-03-03T23:59:59Z") == "2024-02-26T00:00:00Z .. 2024-03-04T00:00:00Z");
  CHECK(span("UTC", Unit::kWeek, "2024-03-04T00:00:00Z") == "2024-03-04T00:00:00Z .. 2024-03-11T00:00:00Z");
  CHECK(span("UTC", Unit::kWeek, "1970-01-01T00:00:00Z") == "1969-12-29T00:00:00Z .. 1970-01-05T00:00:00Z");
}

TEST_CASE("the day that begins summer time has 23 hours, the one that ends it 25") {
  CHECK(span("Europe/Berlin", Unit::kDay, "2024-03-31T12:00:00Z") == "2024-03-30T23:00:00Z .. 2024-03-31T22:00:00Z");
  CHECK(span("Europe/Berlin", Unit::kDay, "2024-10-27T12:00:00Z") == "2024-10-26T22:00:00Z .. 2024-10-27T23:00:00Z");
  CHECK(span("America/New_York", Unit::kDay, "2024-03-10T12:00:00Z") == "2024-03-10T05:00:00Z .. 2024-03-11T04:00:00Z");
  CHECK(span("America/New_York", Unit::kDay, "2024-11-03T12:00:00Z") == "2024-11-03T04:00:00Z .. 2024-11-04T05:00:00Z");
  CHECK(lengths("Europe/Berlin", Unit::kDay, "2024-03-29T23:00:00Z", "2024-04-01T22:00:00Z") ==
        std::vector<Nanos>{24, 23, 24});
  CHECK(lengths("America/New_York", Unit::kDay, "2024-11-02T04:00:00Z", "2024-11-05T05:00:00Z") ==
        std::vector<Nanos>{24, 25, 24});
}

TEST_CASE("weeks and months are longer or shorter by that hour") {
  CHECK(lengths("Europe/Berlin", Unit::kWeek, "2024-03-24T23:00:00Z", "2024-04-07T22:00:00Z") ==
        std::vector<Nanos>{7 * 24 - 1, 7 * 24});
  CHECK(lengths("America/New_York", Unit::kMonth, "2024-10-01T04:00:00Z", "2024-12-01T05:00:00Z") ==
        std::vector<Nanos>{31 * 24, 30 * 24 + 1});
}

TEST_CASE("an hour that comes twice is two hours, one that is left out is none") {
  // Berlin, autumn: 02:00 to 03:00 in summer time, then again in winter time.
  CHECK(span("Europe/Berlin", Unit::kHour, "2024-10-27T00:30:00Z") == "2024-10-27T00:00:00Z .. 2024-10-27T01:00:00Z");
  CHECK(span("Europe/Berlin", Unit::kHour, "2024-10-27T01:30:00Z") == "2024-10-27T01:00:00Z .. 2024-10-27T02:00:00Z");
  for (const char* zone : {"Europe/Berlin", "America/New_York"}) {
    INFO(zone);
    CHECK(lengths(zone, Unit::kHour, "2024-03-30T00:00:00Z", "2024-04-01T00:00:00Z") == std::vector<Nanos>(48, 1));
    CHECK(lengths(zone, Unit::kHour, "2024-11-02T00:00:00Z", "2024-11-04T00:00:00Z") == std::vector<Nanos>(48, 1));
  }
}

TEST_CASE("hours are those of the clock where it is not whole hours off UTC") {
  CHECK(span("Asia/Kolkata", Unit::kHour, "2024-01-01T00:00:00Z") == "2023-12-31T23:30:00Z .. 2024-01-01T00:30:00Z");
  CHECK(span("Asia/Kathmandu", Unit::kHour, "2024-01-01T00:00:00Z") == "2023-12-31T23:15:00Z .. 2024-01-01T00:15:00Z");
}

TEST_CASE("a change by half an hour cuts an hour in two") {
  // Lord Howe, 2024-04-06T15:00Z: 02:00 becomes 01:30.
  CHECK(span("Australia/Lord_Howe", Unit::kHour, "2024-04-06T14:59:00Z") ==
        "2024-04-06T14:00:00Z .. 2024-04-06T15:00:00Z");
  CHECK(span("Australia/Lord_Howe", Unit::kHour, "2024-04-06T15:00:00Z") ==
        "2024-04-06T15:00:00Z .. 2024-04-06T15:30:00Z");
  CHECK(span("Australia/Lord_Howe", Unit::kDay, "2024-04-06T15:00:00Z") ==
        "2024-04-06T13:00:00Z .. 2024-04-07T13:30:00Z");
}

TEST_CASE("days follow each other where midnight itself is changed, and where a whole day is left out") {
  // São Paulo, 2018-11-04: the clock goes from midnight to 01:00.
  CHECK(span("America/Sao_Paulo", Unit::kDay, "2018-11-04T12:00:00Z") ==
        "2018-11-04T03:00:00Z .. 2018-11-05T02:00:00Z");
  CHECK(lengths("America/Sao_Paulo", Unit::kDay, "2018-02-16T02:00:00Z", "2018-02-19T03:00:00Z") ==
        std::vector<Nanos>{24, 25, 24});
  // St. John's, until 2011: one minute after midnight back to 23:01 of the day before.
  CHECK(lengths("America/St_Johns", Unit::kDay, "2010-11-06T02:30:00Z", "2010-11-09T03:30:00Z") ==
        std::vector<Nanos>{24, 25, 24});
  // Samoa had no 30th of December 2011.
  CHECK(lengths("Pacific/Apia", Unit::kDay, "2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z") ==
        std::vector<Nanos>{24, 24, 24});
}

bool whole_days(const char* zone, Unit unit, const std::string& since, const std::string& until) {
  return Calendar(*find_time_zone(zone), unit).keeps_days_whole(at(since), at(until));
}

TEST_CASE("days of UTC are whole where the clock shows UTC all the while, and no hours are told apart") {
  CHECK(whole_days("UTC", Unit::kDay, "1970-01-01T00:00:00Z", "2260-01-01T00:00:00Z"));
  CHECK(whole_days("UTC", Unit::kMonth, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"));
  CHECK_FALSE(whole_days("UTC", Unit::kHour, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"));
  CHECK_FALSE(whole_days("Europe/Berlin", Unit::kDay, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"));
  CHECK(whole_days("Europe/London", Unit::kDay, "2024-01-01T00:00:00Z", "2024-03-31T01:00:00Z"));
  CHECK_FALSE(whole_days("Europe/London", Unit::kDay, "2024-01-01T00:00:00Z", "2024-03-31T01:00:00.000000001Z"));
}

// `start .. end` of every stretch in which hours are cut.
std::vector<std::string> cuts(const char* zone, const std::string& since, const std::string& until) {
  std::vector<std::string> out;
  for (const Calendar::Span& span : Calendar(*find_time_zone(zone), Unit::kHour).cut_hours(at(since), at(until)))
    out.push_back(instant_text(span.start) + " .. " + instant_text(span.end));
  return out;
}

TEST_CASE("hours of UTC are cut while the clock is not whole hours off") {
  using Cuts = std::vector<std::string>;
  CHECK(cuts("UTC", "1970-01-01T00:00:00Z", "2260-01-01T00:00:00Z").empty());
  CHECK(cuts("Europe/Berlin", "1970-01-01T00:00:00Z", "2260-01-01T00:00:00Z").empty());
  CHECK(cuts("America/New_York", "1970-01-01T00:00:00Z", "2260-01-01T00:00:00Z").empty());
  CHECK(cuts("Asia/Kolkata", "2024-01-01T00:30:00Z", "2024-02-01T00:30:00Z") ==
        Cuts{"2024-01-01T00:00:00Z .. 2024-02-01T01:00:00Z"});
  // Lord Howe is half an hour off in winter, from 2024-04-06T15:00Z to 2024-10-05T15:30Z.
  CHECK(cuts("Australia/Lord_Howe", "2024-01-01T00:00:00Z", "2024-12-01T00:00:00Z") ==
        Cuts{"2024-04-06T15:00:00Z .. 2024-10-05T16:00:00Z"});
  // Singapore was until 1981-12-31T16:00Z.
  CHECK(cuts("Asia/Singapore", "1981-01-01T00:00:00Z", "2024-01-01T00:00:00Z") ==
        Cuts{"1981-01-01T00:00:00Z .. 1981-12-31T16:00:00Z"});
  // Goose Bay changed its clock a minute after midnight: 2010-03-14T04:01Z, 2010-11-07T03:01Z.
  CHECK(cuts("America/Goose_Bay", "2010-01-01T00:00:00Z", "2011-01-01T00:00:00Z") ==
        Cuts{"2010-03-14T04:00:00Z .. 2010-03-14T05:00:00Z", "2010-11-07T03:00:00Z .. 2010-11-07T04:00:00Z"});
}

TEST_CASE("every span between cut hours begins and ends at a full hour of UTC") {
  for (const char* zone : {"Australia/Lord_Howe", "America/Goose_Bay", "America/St_Johns", "Asia/Kathmandu",
                           "America/Caracas", "Asia/Pyongyang", "Europe/Dublin", "Pacific/Apia", "Africa/Monrovia"}) {
    INFO(zone);
    for (const Unit unit : {Unit::kHour, Unit::kDay, Unit::kMonth}) {
      const Calendar calendar(*find_time_zone(zone), unit);
      const Nanos end = at("2019-01-01T00:00:00Z");
      const auto spans = calendar.cut_hours(at("1970-01-01T00:00:00Z"), end);
      Nanos instant = at(unit == Unit::kHour ? "2004-01-01T00:00:00Z" : "1970-01-01T00:00:00Z");
      for (; instant < end; instant = calendar.span_of(instant).end) {
        const Nanos start = calendar.span_of(instant).start;
        const bool inside = std::any_of(spans.begin(), spans.end(), [start](const Calendar::Span& span) {
          return span.start <= start && start < span.end;
        });
        if (!inside && start >= 0) REQUIRE(start % kHour == 0);
      }
    }
  }
}

TEST_CASE("units are named as they are read") {
  for (const Unit unit : {Unit::kHour, Unit::kDay, Unit::kWeek, Unit::kMonth}) CHECK(unit_of(name_of(unit)) == unit);
  CHECK_FALSE(unit_of("year"));
  CHECK_FALSE(unit_of(""));
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
