#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/model/utf8.h"
#include "lib/base/limits.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::full_run;
using fakes::seconds;
using fakes::started;
using fakes::step_of;
using Change = std::function<void(Run&)>;

constexpr auto kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr auto kInt64Min = std::numeric_limits<std::int64_t>::min();

// A run that is fine but for one change, and the field that must be blamed.
struct Refused {
  const char* field;
  Change change;
};

void expect_refused(const std::vector<Refused>& table) {
  for (std::size_t row = 0; row < table.size(); ++row) {
    CAPTURE(row, table[row].field);
    Run run = full_run();
    table[row].change(run);
    const auto error = validate(run);
    REQUIRE(error);
    CHECK(error->field == table[row].field);
    CHECK(error->detail.size() > 10);
    CHECK(valid_utf8(error->detail));
    CHECK_FALSE(has_control(error->detail));
  }
}

void expect_accepted(const std::vector<Change>& table) {
  for (std::size_t row = 0; row < table.size(); ++row) {
    CAPTURE(row);
    Run run = full_run();
    table[row](run);
    const auto error = validate(run);
    if (error) FAIL_CHECK(error->field << ": " << error->detail);
  }
}

TEST_CASE("a plain run and a run with everything set are valid") {
  REQUIRE_FALSE(validate(started("a", 1)));
  REQUIRE_FALSE(validate(finished(started("a", 1), seconds(1))));
  REQUIRE_FALSE(validate(full_run()));
}

TEST_CASE("the rule of job names is kept to the letter") {
  for (const std::string& name :
       {std::string("a"), std::string("9"), std::string("A.b_c:d-e"), std::string(200, 'x')}) {
    REQUIRE(valid_job_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string(".a"), std::string("-a"), std::string("a b"), std::string("a/b"), std::string("jöb"),
        std::string("a\n"), std::string("a\0", 2), std::string(201, 'x')}) {
    CAPTURE(quoted(name));
    REQUIRE_FALSE(valid_job_name(name));
  }
}

TEST_CASE("faults of identity and state are refused with the field's name") {
  expect_refused({
      {"id", [](Run& run) { run.id = {}; }},
      {"job", [](Run& run) { run.job = ""; }},
      {"job", [](Run& run) { run.job = "a\nb"; }},
      {"revision", [](Run& run) { run.revision = 0; }},
      {"reporter", [](Run& run) { run.reporter = Reporter{7}; }},
      {"attempt", [](Run& run) { run.attempt = 0; }},
      {"state", [](Run& run) { run.state = State{0}; }},
      {"state", [](Run& run) { run.state = State{6}; }},
      {"state", [](Run& run) { run.verdict = true; }},
      {"failure.kind", [](Run& run) { run.failure->kind = FailureKind{0}; }},
      {"failure.signal", [](Run& run) { run.failure->signal = -1; }},
      {"failure.signal", [](Run& run) { run.failure->signal = 129; }},
      {"failure.message", [](Run& run) { run.failure->message.assign(limits::failure_message_bytes_max + 1, 'x'); }},
      {"failure.message", [](Run& run) { run.failure->message = "\xff"; }},
      {"progress", [](Run& run) { run.progress = -0.001; }},
      {"progress", [](Run& run) { run.progress = 1.001; }},
      {"progress", [](Run& run) { run.progress = std::nan(""); }},
  });
}

TEST_CASE("instants and lengths outside what arithmetic can bear are refused") {
  for (const Nanos value : {Nanos{-1}, Nanos{kInt64Min}, kNanosEnd, Nanos{kInt64Max}}) {
    expect_refused({
        {"started_at", [=](Run& run) { run.started_at = value; }},
        {"scheduled_at", [=](Run& run) { run.scheduled_at = value; }},
        {"finished_at", [=](Run& run) { run.finished_at = value; }},
        {"duration_seconds", [=](Run& run) { run.duration = value; }},
    });
  }
}

TEST_CASE("an end belongs to a terminal run, and a terminal run of the library needs one") {
  expect_refused({
      {"finished_at", [](Run& run) { run.state = State::kRunning; }},
      {"finished_at", [](Run& run) { run.finished_at.reset(), run.duration.reset(); }},
      {"finished_at", [](Run& run) { run.finished_at = run.started_at - 1, run.duration.reset(); }},
  });
  expect_accepted({
      [](Run& run) { run.state = State::kRunning, run.finished_at.reset(); },  // failed already, and goes on
      [](Run& run) { run.finished_at.reset(); },
      [](Run& run) { run.duration.reset(); },
      [](Run& run) { run.finished_at = run.started_at - 1; },  // a wall clock that was set back
      [](Run& run) { run.reporter = Reporter::kHttp, run.finished_at.reset(), run.duration.reset(); },
      [](Run& run) { run.reporter = Reporter::kHttp, run.revision = 0; },
      [](Run& run) { run.state = State::kCrashed, run.verdict = true; },
  });
}

TEST_CASE("labels and counters beyond their limits are refused") {
  expect_refused({
      {"labels", [](Run& run) { run.labels[""] = "x"; }},
      {"labels", [](Run& run) { run.labels["a\x01"] = "x"; }},
      {"labels", [](Run& run) { run.labels["\xc3"] = "x"; }},
      {"labels", [](Run& run) { run.labels[std::string(limits::label_key_bytes_max + 1, 'k')] = "x"; }},
      {"labels.region", [](Run& run) { run.labels["region"].assign(limits::label_value_bytes_max + 1, 'v'); }},
      {"labels.region", [](Run& run) { run.labels["region"] = "\xed\xa0\x80"; }},
      {"labels",
       [](Run& run) {
         for (std::size_t i = 0; i <= limits::label_count_max; ++i) run.labels["k" + std::to_string(i)] = "v";
       }},
      {"counters", [](Run& run) { run.counters[""] = 1; }},
      {"counters", [](Run& run) { run.counters["a\nb"] = 1; }},
      {"counters", [](Run& run) { run.counters[std::string(limits::counter_name_bytes_max + 1, 'c')] = 1; }},
      {"counters.rows", [](Run& run) { run.counters["rows"] = std::nan(""); }},
      {"counters.rows", [](Run& run) { run.counters["rows"] = -std::numeric_limits<double>::infinity(); }},
      {"counters",
       [](Run& run) {
         for (std::size_t i = 0; i <= limits::counter_count_max; ++i) run.counters["c" + std::to_string(i)] = 1;
       }},
  });
}

TEST_CASE("steps that no executions can add up to are refused") {
  expect_refused({
      {"steps[1].name", [](Run& run) { run.steps[1].name = ""; }},
      {"steps[1].name", [](Run& run) { run.steps[1].name = "a\tb"; }},
      {"steps[1].name", [](Run& run) { run.steps[1].name = "\xff"; }},
      {"steps[1].name", [](Run& run) { run.steps[1].name.assign(limits::step_path_bytes_max + 1, 's'); }},
      {"steps[1].name", [](Run& run) { run.steps[1].name = "load"; }},
      {"steps[0].failed", [](Run& run) { run.steps[0].failed = 4; }},
      {"steps[0].min_seconds", [](Run& run) { run.steps[0].min = 2'001; }},
      {"steps[0].total_seconds", [](Run& run) { run.steps[0].total = 1'999; }},
      {"steps[0].total_seconds", [](Run& run) { run.steps[0].total = std::uint64_t{1} << 63U; }},
      {"steps[0].count", [](Run& run) { run.steps[0].count = std::uint64_t{1} << 63U; }},
      {"steps[0].sketch", [](Run& run) { run.steps[0].sketch.add(5); }},
      {"steps[2].count", [](Run& run) { run.steps[2].total = 1; }},
      {"steps",
       [](Run& run) {
         for (std::size_t i = 0; i <= limits::step_count_max; ++i) {
           run.steps.push_back(step_of("s" + std::to_string(i), {1}));
         }
       }},
  });
  expect_accepted({[](Run& run) { run.steps[0].sketch = {}; }});
}

TEST_CASE("resources and texts beyond their limits are refused") {
  static constexpr auto huge = std::uint64_t{1} << 63U;
  expect_refused({
      {"resources.cpu_user_seconds", [](Run& run) { run.resources.cpu_user = huge; }},
      {"resources.cpu_system_seconds", [](Run& run) { run.resources.cpu_system = huge; }},
      {"resources.max_rss_bytes", [](Run& run) { run.resources.max_rss_bytes = huge; }},
      {"resources.read_bytes", [](Run& run) { run.resources.read_bytes = huge; }},
      {"resources.write_bytes", [](Run& run) { run.resources.write_bytes = huge; }},
      {"host", [](Run& run) { run.host.assign(limits::text_bytes_max + 1, 'h'); }},
      {"program", [](Run& run) { run.program = "\xc0\x80"; }},
      {"version", [](Run& run) { run.version.assign(limits::text_bytes_max + 1, 'v'); }},
      {"build_id", [](Run& run) { run.build_id = "\x80"; }},
      {"boot_id", [](Run& run) { run.boot_id = "\x80"; }},
      {"dropped", [](Run& run) { run.dropped = huge; }},
  });
}

TEST_CASE("everything at its limit is accepted") {
  expect_accepted({
      [](Run& run) { run.started_at = 0, run.scheduled_at = kNanosEnd - 1; },
      [](Run& run) { run.progress = 0; },
      [](Run& run) { run.progress = 1; },
      [](Run& run) { run.failure->message.assign(limits::failure_message_bytes_max, 'x'); },
      [](Run& run) {
        run.labels[std::string(limits::label_key_bytes_max, 'k')].assign(limits::label_value_bytes_max, 'v');
      },
      [](Run& run) { run.counters["rows"] = std::numeric_limits<double>::max(); },
      [](Run& run) { run.steps[1].name.assign(limits::step_path_bytes_max, 's'); },
      [](Run& run) { run.resources.read_bytes = static_cast<std::uint64_t>(kInt64Max); },
      [](Run& run) { run.host.assign(limits::text_bytes_max, 'h'); },
  });
}

}  // namespace
}  // namespace kleptometrics::aggregator
