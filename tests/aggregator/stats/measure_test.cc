#include <limits>

#include "aggregator/stats/stats.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::kStart;
using fakes::seconds;
using Kind = Measure::Kind;

std::optional<double> value(const Run& run, std::string_view measure, std::string_view step = {}) {
  return value_of(run, *Measure::parse(measure), step);
}

TEST_CASE("the spellings of measures are read") {
  REQUIRE(Measure::parse("duration") == Measure{Kind::kDuration, ""});
  REQUIRE(Measure::parse("start_delay") == Measure{Kind::kStartDelay, ""});
  REQUIRE(Measure::parse("cpu") == Measure{Kind::kCpu, ""});
  REQUIRE(Measure::parse("max_rss_bytes") == Measure{Kind::kMaxRssBytes, ""});
  REQUIRE(Measure::parse("counter:rows") == Measure{Kind::kCounter, "rows"});
  REQUIRE(Measure::parse("seconds_per:rows") == Measure{Kind::kSecondsPer, "rows"});
}

TEST_CASE("a counter's name may hold colons and be one byte long") {
  REQUIRE(Measure::parse("counter:a:b") == Measure{Kind::kCounter, "a:b"});
  REQUIRE(Measure::parse("seconds_per:r") == Measure{Kind::kSecondsPer, "r"});
}

TEST_CASE("what is no measure is refused") {
  for (const auto* text :
       {"", "counter:", "seconds_per:", "counter", "Duration", "duration ", " cpu", "rows", "duration:", "cpu:user"}) {
    CAPTURE(text);
    REQUIRE_FALSE(Measure::parse(text));
  }
}

TEST_CASE("the steady duration wins over the wall clocks") {
  Run run = fakes::finished(fakes::started("job", 1), seconds(2.5));
  run.finished_at = kStart + seconds(99);
  REQUIRE(value(run, "duration") == 2.5);
}

TEST_CASE("without a duration the wall clocks tell, never less than nothing") {
  Run run = fakes::finished(fakes::started("job", 1), seconds(3));
  run.duration.reset();
  REQUIRE(value(run, "duration") == 3.0);
  run.finished_at = kStart - seconds(1);
  REQUIRE(value(run, "duration") == 0.0);
  run.finished_at.reset();
  REQUIRE_FALSE(value(run, "duration"));
}

TEST_CASE("an early start is no delay, and without a schedule nothing is known of it") {
  Run run = fakes::started("job", 1);
  REQUIRE_FALSE(value(run, "start_delay"));
  run.scheduled_at = kStart - seconds(4);
  REQUIRE(value(run, "start_delay") == 4.0);
  run.scheduled_at = kStart + seconds(4);
  REQUIRE(value(run, "start_delay") == 0.0);
}

TEST_CASE("CPU time is user and system, or the one that is known") {
  Run run = fakes::started("job", 1);
  REQUIRE_FALSE(value(run, "cpu"));
  run.resources.cpu_user = 1'500'000'000;
  REQUIRE(value(run, "cpu") == 1.5);
  run.resources.cpu_system = 500'000'000;
  REQUIRE(value(run, "cpu") == 2.0);
  run.resources.cpu_user = std::numeric_limits<std::int64_t>::max();  // the most that is valid
  run.resources.cpu_system = std::numeric_limits<std::int64_t>::max();
  REQUIRE(value(run, "cpu") == 18'446'744'073'709'551'614.0 / 1e9);
}

TEST_CASE("the peak of memory is in bytes") {
  Run run = fakes::started("job", 1);
  REQUIRE_FALSE(value(run, "max_rss_bytes"));
  run.resources.max_rss_bytes = 4096;
  REQUIRE(value(run, "max_rss_bytes") == 4096.0);
}

TEST_CASE("a counter is its number, and unknown where it was not counted") {
  Run run = fakes::started("job", 1);
  run.counters["rows"] = -2.5;
  REQUIRE(value(run, "counter:rows") == -2.5);
  REQUIRE_FALSE(value(run, "counter:row"));
}

TEST_CASE("seconds per item need a duration and a count above zero") {
  Run run = fakes::finished(fakes::started("job", 1), seconds(10));
  REQUIRE_FALSE(value(run, "seconds_per:rows"));
  run.counters["rows"] = 4;
  REQUIRE(value(run, "seconds_per:rows") == 2.5);
  for (const double none : {0.0, -4.0, std::numeric_limits<double>::denorm_min()}) {
    run.counters["rows"] = none;
    CAPTURE(none);
    REQUIRE_FALSE(value(run, "seconds_per:rows"));
  }
  run.counters["rows"] = 4;
  run.duration.reset();
  run.finished_at.reset();
  REQUIRE_FALSE(value(run, "seconds_per:rows"));
}

TEST_CASE("of a step the total is measured, and nothing else") {
  Run run = fakes::finished(fakes::started("job", 1), seconds(10));
  run.resources.cpu_user = 1;
  Step step;
  step.name = "load/parse";
  step.count = 2;
  step.total = 3'000'000'000;
  run.steps.push_back(step);
  REQUIRE(value(run, "duration", "load/parse") == 3.0);
  REQUIRE_FALSE(value(run, "cpu", "load/parse"));
  REQUIRE_FALSE(value(run, "duration", "load"));
}

TEST_CASE("a step that never ended has no value") {
  Run run = fakes::finished(fakes::started("job", 1), seconds(10));
  run.steps.emplace_back().name = "load";
  REQUIRE_FALSE(value(run, "duration", "load"));
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
