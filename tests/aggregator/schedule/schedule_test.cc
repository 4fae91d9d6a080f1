#include "aggregator/schedule/schedule.h"

#include "tests/aggregator/schedule/specs.h"

namespace kleptometrics::aggregator::schedule {
namespace {

constexpr Nanos kMinute = 60 * kNanosPerSecond;
constexpr Nanos kHour = 60 * kMinute;

TEST_CASE("the next occurrence lies after the instant, the previous at it or before") {
  const Schedule schedule = read(spec_of("0 6 * * *"));
  CHECK(text_of(schedule.next(at("2024-03-05T06:00:00Z"))) == "2024-03-06T06:00:00Z");
  CHECK(text_of(schedule.next(at("2024-03-05T06:00:00Z") - 1)) == "2024-03-05T06:00:00Z");
  CHECK(text_of(schedule.previous(at("2024-03-05T06:00:00Z"))) == "2024-03-05T06:00:00Z");
  CHECK(text_of(schedule.previous(at("2024-03-05T06:00:00Z") - 1)) == "2024-03-04T06:00:00Z");
  CHECK(text_of(schedule.next(at("1969-12-31T12:00:00Z"))) == "1970-01-01T06:00:00Z");
}

TEST_CASE("occurrences are those of the job's zone, of UTC without one") {
  CHECK(text_of(read(spec_of("0 6 * * *")).next(at("2024-07-01T00:00:00Z"))) == "2024-07-01T06:00:00Z");
  CHECK(text_of(read(spec_of("0 6 * * *", "UTC")).next(at("2024-07-01T00:00:00Z"))) == "2024-07-01T06:00:00Z");
  CHECK(text_of(read(spec_of("0 6 * * *", "Europe/Berlin")).next(at("2024-07-01T00:00:00Z"))) ==
        "2024-07-01T04:00:00Z");
  CHECK(text_of(read(spec_of("0 6 1 * *", "Asia/Kolkata")).next(at("2024-06-30T12:00:00Z"))) == "2024-07-01T00:30:00Z");
}

TEST_CASE("an interval has no occurrences") {
  JobSpec spec;
  spec.interval = 5 * kMinute;
  const Schedule schedule = read(spec);
  CHECK_FALSE(schedule.has_occurrences());
  CHECK(schedule.interval() == 5 * kMinute);
  CHECK_FALSE(schedule.next(0));
  CHECK_FALSE(schedule.previous(0));
  CHECK(read(spec_of("@daily")).has_occurrences());
  CHECK(read(spec_of("@daily")).interval() == 0);
}

TEST_CASE("there is no occurrence beyond the end of time") {
  const Schedule schedule = read(spec_of("0 0 29 2 *"));
  CHECK(text_of(schedule.next(at("2260-02-28T00:00:00Z"))) == "2260-02-29T00:00:00Z");
  CHECK_FALSE(schedule.next(at("2260-02-29T00:00:00Z")));
  CHECK(text_of(schedule.previous(kNanosEnd)) == "2260-02-29T00:00:00Z");
  CHECK_FALSE(read(spec_of("* * * * *")).next(std::numeric_limits<Nanos>::max()));
  CHECK_FALSE(read(spec_of("* * * * *")).previous(std::numeric_limits<Nanos>::min()));
}

TEST_CASE("what cannot be read is named by its field") {
  const auto fault = [](const JobSpec& spec) {
    const auto unread = unreadable(spec);
    REQUIRE(unread);
    const auto schedule = Schedule::of(spec);
    CHECK(absl::IsInvalidArgument(schedule.status()));
    CHECK(schedule.status().message() == unread->field + ": " + unread->detail);
    return unread->field + ": " + unread->detail;
  };
  CHECK(fault(spec_of("75 * * * *")) == "schedule.cron: minute: 75 is beyond 59");
  CHECK(fault(spec_of("@daily", "Mars/Olympus")) == "timezone: `Mars/Olympus` is no time zone that is known here");
  CHECK(fault(spec_of("", "../etc/passwd")) == "timezone: `../etc/passwd` is no time zone that is known here");
  JobSpec spec;
  spec.maintenance = {{0, kHour, "", 0}, {0, 0, "@daily", kHour}, {0, 0, "0 24 * * *", kHour}};
  CHECK(fault(spec) == "maintenance[2].cron: hour: 24 is beyond 23");
  CHECK_FALSE(unreadable(JobSpec{}));
  CHECK_FALSE(unreadable(spec_of("@daily", "Europe/Berlin")));
}

TEST_CASE("a maintenance window that comes once holds its beginning and not its end") {
  JobSpec spec;
  spec.maintenance = {{at("2024-03-05T06:00:00Z"), at("2024-03-05T08:00:00Z"), "", 0}};
  const Schedule schedule = read(spec);
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-05T06:00:00Z") - 1));
  CHECK(schedule.in_maintenance(at("2024-03-05T06:00:00Z")));
  CHECK(schedule.in_maintenance(at("2024-03-05T08:00:00Z") - 1));
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-05T08:00:00Z")));
  CHECK(text_of(schedule.maintenance_end(at("2024-03-05T07:00:00Z"))) == "2024-03-05T08:00:00Z");
  CHECK_FALSE(read(JobSpec{}).in_maintenance(0));
}

TEST_CASE("a maintenance window that returns begins by the job's clock and ends by a stop-watch") {
  JobSpec spec = spec_of("", "Europe/Berlin");
  spec.maintenance = {{0, 0, "0 1 * * sun", 4 * kHour}};
  const Schedule schedule = read(spec);
  CHECK(text_of(schedule.maintenance_end(at("2024-03-10T00:00:00Z"))) == "2024-03-10T04:00:00Z");
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-10T00:00:00Z") - 1));
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-10T04:00:00Z")));
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-11T01:00:00Z")));
  // Forward within the window: it ends at 6 by the clock.
  CHECK(text_of(schedule.maintenance_end(at("2024-03-31T01:00:00Z"))) == "2024-03-31T04:00:00Z");
}

TEST_CASE("where windows overlap the last to end is told") {
  JobSpec spec;
  spec.maintenance = {{0, 0, "0 * * * *", 30 * kMinute},
                      {0, 0, "15 6 * * *", 2 * kHour},
                      {at("2024-03-05T06:20:00Z"), at("2024-03-05T07:00:00Z"), "", 0}};
  const Schedule schedule = read(spec);
  CHECK(text_of(schedule.maintenance_end(at("2024-03-05T05:10:00Z"))) == "2024-03-05T05:30:00Z");
  CHECK(text_of(schedule.maintenance_end(at("2024-03-05T06:25:00Z"))) == "2024-03-05T08:15:00Z");
  CHECK(text_of(schedule.maintenance_end(at("2024-03-05T08:14:00Z"))) == "2024-03-05T08:30:00Z");
  CHECK_FALSE(schedule.in_maintenance(at("2024-03-05T08:40:00Z")));
  // Longer than the time to its next beginning: it never ends, and the latest beginning tells.
  spec.maintenance = {{0, 0, "0 * * * *", 90 * kMinute}};
  CHECK(text_of(read(spec).maintenance_end(at("2024-03-05T06:10:00Z"))) == "2024-03-05T07:30:00Z");
}

}  // namespace
}  // namespace kleptometrics::aggregator::schedule
