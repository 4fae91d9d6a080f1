#include "aggregator/query/plan.h"

#include "tests/aggregator/query/instants.h"

namespace kleptometrics::aggregator::query {
namespace {

using By = Stretch::By;
using Lines = std::vector<std::string>;
using stats::kDay;
using stats::kHour;

constexpr const char* kNames[] = {"runs", "hours", "days", "all"};

std::string text(Nanos at) {
  if (at == kTimeBegin) return "begin";
  return at == kTimeEnd ? "end" : instant_text(at);
}

// `hours start .. end` of every stretch. Holds all plans to what they have in common.
Lines lines(const Plan& plan) {
  Lines out;
  Nanos end = plan.covers.start;
  for (const Stretch& stretch : plan.stretches) {
    if (stretch.by == By::kAll) return {"all"};
    CHECK(stretch.since == end);
    CHECK(stretch.since < stretch.until);
    const Nanos whole = stretch.by == By::kDay ? kDay : stretch.by == By::kHour ? kHour : 1;
    CHECK(stretch.since % whole == 0);
    CHECK(stretch.until % whole == 0);
    out.push_back(std::string(kNames[static_cast<int>(stretch.by)]) + " " + text(stretch.since) + " .. " +
                  text(stretch.until));
    end = stretch.until;
  }
  CHECK(end == plan.covers.end);
  return out;
}

Cut cut(const std::string& since, const std::string& until) {
  Cut out;
  if (!since.empty()) out.since = at(since);
  if (!until.empty()) out.until = at(until);
  return out;
}
std::string covers(const Plan& plan) { return text(plan.covers.start) + " .. " + text(plan.covers.end); }

TEST_CASE("all time is one piece") {
  CHECK(lines(plan(cut("", ""))) == Lines{"all"});
  Cut counters = cut("", "");
  counters.hours = false;
  CHECK(lines(plan(counters)) == Lines{"all"});
  CHECK(plan(cut("", "")).runs_since() == kTimeEnd);
}

TEST_CASE("whole days are days, whole hours beside them hours, and only what is left single runs") {
  const Plan made = plan(cut("2024-01-01T22:30:00Z", "2024-01-04T01:00:00.5Z"));
  CHECK(lines(made) ==
        Lines{"runs 2024-01-01T22:30:00Z .. 2024-01-01T23:00:00Z", "hours 2024-01-01T23:00:00Z .. 2024-01-02T00:00:00Z",
              "days 2024-01-02T00:00:00Z .. 2024-01-04T00:00:00Z", "hours 2024-01-04T00:00:00Z .. 2024-01-04T01:00:00Z",
              "runs 2024-01-04T01:00:00Z .. 2024-01-04T01:00:00.5Z"});
  CHECK_FALSE(made.rounded);
  CHECK(made.runs_since() == at("2024-01-01T22:30:00Z"));
  CHECK(lines(plan(cut("2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z"))) ==
        Lines{"days 2024-01-01T00:00:00Z .. 2024-01-08T00:00:00Z"});
}

TEST_CASE("what is open on one side is days without end") {
  CHECK(lines(plan(cut("2024-01-01T23:00:00Z", ""))) ==
        Lines{"hours 2024-01-01T23:00:00Z .. 2024-01-02T00:00:00Z", "days 2024-01-02T00:00:00Z .. end"});
  CHECK(lines(plan(cut("", "2024-01-02T00:00:00.000000001Z"))) ==
        Lines{"days begin .. 2024-01-02T00:00:00Z", "runs 2024-01-02T00:00:00Z .. 2024-01-02T00:00:00.000000001Z"});
}

TEST_CASE("within a day there are hours, within an hour runs, within nothing nothing") {
  CHECK(lines(plan(cut("2024-01-01T10:00:00Z", "2024-01-01T12:00:00Z"))) ==
        Lines{"hours 2024-01-01T10:00:00Z .. 2024-01-01T12:00:00Z"});
  CHECK(lines(plan(cut("2024-01-01T10:59:00Z", "2024-01-01T11:01:00Z"))) ==
        Lines{"runs 2024-01-01T10:59:00Z .. 2024-01-01T11:01:00Z"});
  CHECK(lines(plan(cut("2024-01-01T10:10:00Z", "2024-01-01T10:20:00Z"))) ==
        Lines{"runs 2024-01-01T10:10:00Z .. 2024-01-01T10:20:00Z"});
  CHECK(plan(cut("2024-01-01T10:10:00Z", "2024-01-01T10:10:00Z")).stretches.empty());
  CHECK(plan(cut("2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z")).stretches.empty());
}

TEST_CASE("instants at which no run can start cut nothing") {
  Cut far;
  far.since = std::numeric_limits<Nanos>::min();
  far.until = std::numeric_limits<Nanos>::max();
  CHECK(lines(plan(far)) == Lines{"all"});
  far.since = kNanosEnd;
  CHECK(lines(plan(far)).size() <= 2);
  far.until = -5;
  CHECK(plan(far).stretches.empty());
}

TEST_CASE("other series than durations have days and single runs alone") {
  Cut counters = cut("2024-01-01T22:00:00Z", "2024-01-03T01:00:00Z");
  counters.hours = false;
  CHECK(lines(plan(counters)) == Lines{"runs 2024-01-01T22:00:00Z .. 2024-01-02T00:00:00Z",
                                       "days 2024-01-02T00:00:00Z .. 2024-01-03T00:00:00Z",
                                       "runs 2024-01-03T00:00:00Z .. 2024-01-03T01:00:00Z"});
  counters.complete_since = at("2024-01-03T00:00:00Z");
  const Plan made = plan(counters);
  CHECK(lines(made) == Lines{"days 2024-01-01T00:00:00Z .. 2024-01-03T00:00:00Z",
                             "runs 2024-01-03T00:00:00Z .. 2024-01-03T01:00:00Z"});
  CHECK(made.rounded);
  counters.complete_since = at("2024-01-03T00:00:01Z");
  CHECK(covers(plan(counters)) == "2024-01-01T00:00:00Z .. 2024-01-04T00:00:00Z");
}

TEST_CASE("an edge whose runs may have expired is rounded outward, the other is not") {
  Cut old = cut("2024-01-01T22:30:00Z", "2024-01-02T01:30:00Z");
  old.complete_since = at("2024-01-01T22:30:00.000000001Z");
  CHECK(plan(old).rounded);
  CHECK(covers(plan(old)) == "2024-01-01T22:00:00Z .. 2024-01-02T01:30:00Z");
  CHECK(lines(plan(old)).size() == 2);
  old.complete_since = at("2024-01-01T22:30:00Z");
  CHECK_FALSE(plan(old).rounded);
  old.complete_since = std::numeric_limits<Nanos>::max();
  CHECK(covers(plan(old)) == "2024-01-01T22:00:00Z .. 2024-01-02T02:00:00Z");
  CHECK(lines(plan(old)) == Lines{"hours 2024-01-01T22:00:00Z .. 2024-01-02T02:00:00Z"});
  CHECK(plan(old).runs_since() == kTimeEnd);
  Cut even = cut("2024-01-01T22:00:00Z", "2024-01-02T01:00:00Z");
  even.complete_since = std::numeric_limits<Nanos>::max();
  CHECK_FALSE(plan(even).rounded);
}

TEST_CASE("a stretch within an hour becomes that hour") {
  Cut old = cut("2024-01-01T10:10:00Z", "2024-01-01T10:20:00Z");
  old.complete_since = at("2024-01-01T10:15:00Z");
  CHECK(lines(plan(old)) == Lines{"hours 2024-01-01T10:00:00Z .. 2024-01-01T11:00:00Z"});
}

TEST_CASE("told by the hour, everything is hours") {
  Cut hourly = cut("2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z");
  hourly.largest = By::kHour;
  CHECK(lines(plan(hourly)) == Lines{"hours 2024-01-01T00:00:00Z .. 2024-01-08T00:00:00Z"});
  hourly = cut("", "");
  hourly.largest = By::kHour;
  CHECK(lines(plan(hourly)) == Lines{"hours begin .. end"});
  hourly.largest = By::kDay;
  CHECK(lines(plan(hourly)) == Lines{"days begin .. end"});
}

// Kept apart from 2024-01-02 on for two days.
Cut with_apart() {
  Cut out = cut("2024-01-01T00:30:00Z", "2024-01-07T00:00:00Z");
  out.largest = By::kHour;
  out.apart = {{at("2024-01-02T00:00:00Z"), at("2024-01-04T00:00:00Z")},
               {at("2024-01-06T00:00:00Z"), at("2024-01-09T00:00:00Z")}};
  return out;
}

TEST_CASE("where hours are cut as well there are single runs") {
  const Plan made = plan(with_apart());
  CHECK(lines(made) ==
        Lines{"runs 2024-01-01T00:30:00Z .. 2024-01-01T01:00:00Z", "hours 2024-01-01T01:00:00Z .. 2024-01-02T00:00:00Z",
              "runs 2024-01-02T00:00:00Z .. 2024-01-04T00:00:00Z", "hours 2024-01-04T00:00:00Z .. 2024-01-06T00:00:00Z",
              "runs 2024-01-06T00:00:00Z .. 2024-01-07T00:00:00Z"});
  CHECK_FALSE(made.rounded);
}

TEST_CASE("where these have expired there are hours, each counted for the part that holds its start") {
  Cut old = with_apart();
  old.complete_since = at("2024-01-02T10:10:00Z");
  const Plan made = plan(old);
  CHECK(lines(made) == Lines{"hours 2024-01-01T00:00:00Z .. 2024-01-02T11:00:00Z",
                             "runs 2024-01-02T11:00:00Z .. 2024-01-04T00:00:00Z",
                             "hours 2024-01-04T00:00:00Z .. 2024-01-06T00:00:00Z",
                             "runs 2024-01-06T00:00:00Z .. 2024-01-07T00:00:00Z"});
  CHECK(made.rounded);
  const auto counted = [&made](const std::string& since, const std::string& until) {
    const Calendar::Span span = made.counted_for({at(since), at(until)});
    return text(span.start) + " .. " + text(span.end);
  };
  CHECK(counted("2024-01-02T05:30:00Z", "2024-01-02T06:30:00Z") == "2024-01-02T06:00:00Z .. 2024-01-02T07:00:00Z");
  CHECK(counted("2024-01-02T10:30:00Z", "2024-01-02T11:30:00Z") == "2024-01-02T11:00:00Z .. 2024-01-02T11:30:00Z");
  CHECK(counted("2024-01-02T12:30:00Z", "2024-01-02T13:30:00Z") == "2024-01-02T12:30:00Z .. 2024-01-02T13:30:00Z");
  CHECK(counted("2023-12-31T00:00:00Z", "2024-01-01T12:00:00Z") == "2024-01-01T00:00:00Z .. 2024-01-01T12:00:00Z");
}

TEST_CASE("without hours what lies within a day is told by single runs, before them by days") {
  Cut counters = with_apart();
  counters.hours = false;
  CHECK(lines(plan(counters)) == Lines{"runs 2024-01-01T00:30:00Z .. 2024-01-07T00:00:00Z"});
  counters.complete_since = at("2024-01-03T12:00:00Z");
  CHECK(lines(plan(counters)) == Lines{"days 2024-01-01T00:00:00Z .. 2024-01-04T00:00:00Z",
                                       "runs 2024-01-04T00:00:00Z .. 2024-01-07T00:00:00Z"});
  counters.complete_since = std::numeric_limits<Nanos>::max();
  CHECK(lines(plan(counters)) == Lines{"days 2024-01-01T00:00:00Z .. 2024-01-07T00:00:00Z"});
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
