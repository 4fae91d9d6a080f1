#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "aggregator/model/job.h"
#include "lib/base/limits.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using Change = std::function<void(JobSpec&)>;

constexpr Nanos kLengthMax = Nanos{limits::job_length_days_max} * 86'400 * kNanosPerSecond;
constexpr Nanos kMax = std::numeric_limits<Nanos>::max();

void expect_refused(const std::vector<std::pair<std::string, Change>>& cases) {
  for (const auto& [field, change] : cases) {
    JobSpec spec;
    change(spec);
    const auto error = validate(spec);
    INFO(field);
    REQUIRE(error);
    CHECK(error->field == field);
    CHECK_FALSE(error->detail.empty());
  }
}

void expect_accepted(const std::vector<Change>& cases) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    JobSpec spec;
    cases[i](spec);
    const auto error = validate(spec);
    INFO(i << ": " << (error ? error->detail : ""));
    CHECK_FALSE(error);
  }
}

TEST_CASE("a job of which nothing is said is fine") { CHECK_FALSE(validate(JobSpec{})); }

TEST_CASE("a job has one schedule, and lengths of time that are bounded") {
  expect_refused({
      {"schedule", [](JobSpec& s) { s.cron = "@daily", s.interval = kNanosPerSecond; }},
      {"schedule.cron", [](JobSpec& s) { s.cron.assign(limits::cron_bytes_max + 1, ' '); }},
      {"schedule.cron", [](JobSpec& s) { s.cron = "0 0\n* * *"; }},
      {"schedule.cron", [](JobSpec& s) { s.cron = "\xff"; }},
      {"schedule.interval_seconds", [](JobSpec& s) { s.interval = -1; }},
      {"schedule.interval_seconds", [](JobSpec& s) { s.interval = kNanosPerSecond - 1; }},
      {"schedule.interval_seconds", [](JobSpec& s) { s.interval = kLengthMax + 1; }},
      {"timezone", [](JobSpec& s) { s.timezone.assign(limits::timezone_bytes_max + 1, 'a'); }},
      {"timezone", [](JobSpec& s) { s.timezone = "\xc0\x80"; }},
      {"grace_seconds", [](JobSpec& s) { s.grace = -1; }},
      {"grace_seconds", [](JobSpec& s) { s.grace = kMax; }},
      {"max_duration_seconds", [](JobSpec& s) { s.max_duration = -1; }},
      {"max_duration_seconds", [](JobSpec& s) { s.max_duration = kLengthMax + 1; }},
      {"min_duration_seconds", [](JobSpec& s) { s.min_duration = -1; }},
      {"min_duration_seconds", [](JobSpec& s) { s.min_duration = 6, s.max_duration = 5; }},
      {"until", [](JobSpec& s) { s.paused_until = -1; }},
      {"until", [](JobSpec& s) { s.paused_until = kNanosEnd + 1; }},
  });
  expect_accepted({
      [](JobSpec& s) { s.cron.assign(limits::cron_bytes_max, ' '); },
      [](JobSpec& s) { s.interval = kNanosPerSecond; },
      [](JobSpec& s) { s.interval = s.grace = s.max_duration = s.min_duration = kLengthMax; },
      [](JobSpec& s) { s.grace = 0; },
      [](JobSpec& s) { s.min_duration = 6; },
      [](JobSpec& s) { s.paused_until = kNanosEnd; },
  });
}

TEST_CASE("how many runs in a row is counted from one, and bounded") {
  expect_refused({
      {"failures_before_alert", [](JobSpec& s) { s.failures_before_alert = 0; }},
      {"failures_before_alert", [](JobSpec& s) { s.failures_before_alert = limits::runs_in_a_row_max + 1; }},
      {"successes_before_recovery", [](JobSpec& s) { s.successes_before_recovery = 0; }},
      {"successes_before_recovery", [](JobSpec& s) { s.successes_before_recovery = limits::runs_in_a_row_max + 1; }},
  });
  expect_accepted(
      {[](JobSpec& s) { s.failures_before_alert = s.successes_before_recovery = limits::runs_in_a_row_max; }});
}

TEST_CASE("a maintenance window comes once or returns, and ends after it begins") {
  const auto second = [](MaintenanceWindow window) {
    return [window](JobSpec& s) { s.maintenance = {{1, 2, "", 0}, window}; };
  };
  expect_refused({
      {"maintenance[1].until", second({5, 5, "", 0})},
      {"maintenance[1].until", second({})},
      {"maintenance[1].since", second({-1, 5, "", 0})},
      {"maintenance[1].since", second({kNanosEnd, kMax, "", 0})},
      {"maintenance[1].until", second({5, kNanosEnd, "", 0})},
      {"maintenance[1]", second({5, 6, "", 1})},
      {"maintenance[1]", second({5, 6, "@daily", 1})},
      {"maintenance[1].cron", second({0, 0, std::string(limits::cron_bytes_max + 1, ' '), 1})},
      {"maintenance[1].duration_seconds", second({0, 0, "@daily", 0})},
      {"maintenance[1].duration_seconds", second({0, 0, "@daily", -1})},
      {"maintenance[1].duration_seconds", second({0, 0, "@daily", kLengthMax + 1})},
      {"maintenance",
       [](JobSpec& s) {
         s.maintenance.assign(limits::maintenance_count_max + 1, {1, 2, "", 0});
       }},
  });
  expect_accepted({
      second({0, 1, "", 0}),
      second({0, 0, "@daily", 1}),
      [](JobSpec& s) {
        s.maintenance.assign(limits::maintenance_count_max, {1, 2, "", 0});
      },
  });
}

TEST_CASE("a job is paused until it is not") {
  JobSpec spec;
  CHECK_FALSE(paused(spec, 5));
  spec.paused_until = 5;
  CHECK(paused(spec, 4));
  CHECK_FALSE(paused(spec, 5));
  spec.paused_until = kNanosEnd;
  CHECK(paused(spec, kNanosEnd - 1));
}

}  // namespace
}  // namespace kleptometrics::aggregator
