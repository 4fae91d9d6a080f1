#include "aggregator/stats/stats.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::seconds;

constexpr Nanos kGrace = 60 * kNanosPerSecond;

Run took(std::uint32_t number, Nanos duration, State state = State::kSucceeded, Nanos at = kStart) {
  return fakes::finished(fakes::started("job", number, at), duration, state);
}

Stats stats_of(const std::vector<Run>& runs, std::string_view measure = "duration", const std::string& step = "",
               const std::vector<State>& outcomes = {State::kSucceeded}) {
  Accumulator values(*Measure::parse(measure), step, outcomes, kGrace);
  for (const Run& run : runs) values.add(run);
  return values.finish();
}

std::vector<Run> of_seconds(const std::vector<int>& durations) {
  std::vector<Run> runs;
  for (const int duration : durations) {
    const auto number = static_cast<std::uint32_t>(runs.size() + 1);
    runs.push_back(took(number, duration * kNanosPerSecond));
  }
  return runs;
}

std::vector<int> one_to(int n) {
  std::vector<int> numbers;
  for (int i = n; i >= 1; --i) numbers.push_back(i);
  return numbers;
}

TEST_CASE("of no runs nothing is known") {
  const Stats stats = stats_of({});
  REQUIRE(stats.count == 0);
  REQUIRE_FALSE(stats.min);
  REQUIRE_FALSE(stats.max);
  REQUIRE_FALSE(stats.mean);
  REQUIRE_FALSE(stats.stddev);
  REQUIRE_FALSE(stats.median);
  REQUIRE_FALSE(stats.p99);
  REQUIRE_FALSE(stats.high);
  REQUIRE_FALSE(stats.low);
  REQUIRE_FALSE(stats.success_rate);
  REQUIRE(stats.quantile_error == 0);
}

TEST_CASE("one run is its own high, low, mean and every quantile") {
  const Stats stats = stats_of({took(7, seconds(2.5))});
  REQUIRE(stats.count == 1);
  for (const auto& each : {stats.min, stats.max, stats.mean, stats.median, stats.p90, stats.p95, stats.p99}) {
    REQUIRE(each == 2.5);
  }
  REQUIRE(stats.stddev == 0.0);
  REQUIRE(stats.high->run_id == id_of(7));
  REQUIRE(stats.low->run_id == id_of(7));
  REQUIRE(stats.high->at == kStart);
  REQUIRE(stats.high->value == 2.5);
  REQUIRE(stats.success_rate == 1.0);
}

TEST_CASE("the median of two is the lower one") {
  const Stats stats = stats_of(of_seconds({3, 1}));
  REQUIRE(stats.median == 1.0);
  REQUIRE(stats.p90 == 3.0);
  REQUIRE(stats.mean == 2.0);
  REQUIRE(stats.stddev == 1.0);
}

TEST_CASE("a quantile is the value at rank ceil(q n)") {
  struct Expected {
    int n;
    double median, p90, p95, p99;
  };
  for (const Expected& e :
       {Expected{3, 2, 3, 3, 3}, Expected{4, 2, 4, 4, 4}, Expected{10, 5, 9, 10, 10}, Expected{11, 6, 10, 11, 11},
        Expected{20, 10, 18, 19, 20}, Expected{99, 50, 90, 95, 99}, Expected{100, 50, 90, 95, 99},
        Expected{101, 51, 91, 96, 100}, Expected{1000, 500, 900, 950, 990}}) {
    CAPTURE(e.n);
    const Stats stats = stats_of(of_seconds(one_to(e.n)));
    REQUIRE(stats.median == e.median);
    REQUIRE(stats.p90 == e.p90);
    REQUIRE(stats.p95 == e.p95);
    REQUIRE(stats.p99 == e.p99);
  }
}

TEST_CASE("equal values have themselves as mean, to the last bit") {
  std::vector<Run> runs;
  for (std::uint32_t i = 1; i <= 7; ++i) {
    runs.push_back(took(i, 100'000'001));
    runs.back().counters["rows"] = 0.1;
  }
  for (const auto* measure : {"duration", "counter:rows"}) {
    const Stats stats = stats_of(runs, measure);
    CAPTURE(measure);
    REQUIRE(stats.mean == stats.min);
    REQUIRE(stats.stddev == 0.0);
  }
}

TEST_CASE("of equal highs and lows the earliest run is named, then the smaller id") {
  const Stats stats =
      stats_of({took(5, seconds(9), State::kSucceeded, kStart + 1), took(4, seconds(9), State::kSucceeded, kStart),
                took(3, seconds(9), State::kSucceeded, kStart), took(2, seconds(1), State::kSucceeded, kStart + 2),
                took(1, seconds(1), State::kSucceeded, kStart + 3)});
  REQUIRE(stats.high->run_id == id_of(3));
  REQUIRE(stats.high->at == kStart);
  REQUIRE(stats.low->run_id == id_of(2));
  REQUIRE(stats.low->at == kStart + 2);
}

TEST_CASE("the standard deviation is that of the population") {
  const Stats stats = stats_of(of_seconds({2, 4, 4, 4, 5, 5, 7, 9}));
  REQUIRE(stats.mean == 5.0);
  REQUIRE(stats.stddev == 2.0);
}

TEST_CASE("sums of times beyond 64 bits stay exact") {
  constexpr Nanos kLong = kNanosEnd - 1;  // 1,000 of them need 73 bits
  std::vector<Run> runs;
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    runs.push_back(fakes::started("job", i, 0));
    runs.back().state = State::kSucceeded;
    runs.back().duration = kLong;
  }
  const Stats stats = stats_of(runs);
  REQUIRE(stats.mean == static_cast<double>(kLong) / 1e9);
  REQUIRE(stats.stddev == 0.0);
}

TEST_CASE("one nanosecond among long times is not lost from the mean") {
  const Stats stats = stats_of({took(1, seconds(1)), took(2, seconds(1) + 1)});
  REQUIRE(stats.mean == 1'000'000'000.5 / 1e9);
}

TEST_CASE("huge counters have a mean and a deviation") {
  std::vector<Run> runs = of_seconds({1, 1, 1});
  for (Run& run : runs) run.counters["rows"] = 1.7e308;
  const Stats stats = stats_of(runs, "counter:rows");
  REQUIRE(stats.mean == 1.7e308);
  REQUIRE(stats.stddev == 0.0);
  runs[0].counters["rows"] = -1.7e308;
  REQUIRE(std::isfinite(*stats_of(runs, "counter:rows").stddev));
}

TEST_CASE("outcomes are counted whatever is measured, and runs that have not ended are passed over") {
  std::vector<Run> runs = {took(1, seconds(1)),
                           took(2, seconds(2), State::kFailed),
                           took(3, seconds(3), State::kCanceled),
                           took(4, seconds(4), State::kCrashed),
                           took(5, seconds(5)),
                           fakes::started("job", 6)};
  runs.back().duration = seconds(100);  // so far
  const Stats stats = stats_of(runs);
  REQUIRE(stats.count == 2);
  REQUIRE(stats.max == 5.0);
  REQUIRE(stats.succeeded == 2);
  REQUIRE(stats.failed == 1);
  REQUIRE(stats.canceled == 1);
  REQUIRE(stats.crashed == 1);
  REQUIRE(stats.success_rate == 0.5);
}

TEST_CASE("a canceled run is no try") {
  const Stats stats = stats_of({took(1, seconds(1), State::kCanceled)});
  REQUIRE(stats.canceled == 1);
  REQUIRE_FALSE(stats.success_rate);
}

TEST_CASE("the outcomes asked for are those measured") {
  const std::vector<Run> runs = {took(1, seconds(1)), took(2, seconds(2), State::kFailed),
                                 took(3, seconds(3), State::kCrashed), fakes::started("job", 4)};
  REQUIRE(stats_of(runs, "duration", "", {State::kFailed}).max == 2.0);
  REQUIRE(stats_of(runs, "duration", "", {State::kRunning, State::kFailed, State::kCrashed}).count == 2);
  REQUIRE(stats_of(runs, "duration", "", {}).count == 0);
  REQUIRE(stats_of(runs, "duration", "", {}).succeeded == 1);
}

TEST_CASE("late is a start delay beyond the grace, whatever the outcome") {
  std::vector<Run> runs = of_seconds({1, 1, 1, 1});
  runs[0].scheduled_at = kStart - kGrace;
  runs[1].scheduled_at = kStart - kGrace - 1;
  runs[2].scheduled_at = kStart + kGrace * 2;
  runs[3].scheduled_at = kStart - kGrace * 2;
  runs[3].state = State::kFailed;
  REQUIRE(stats_of(runs).late == 2);
}

TEST_CASE("a value that is unknown is not counted among the measured") {
  std::vector<Run> runs = of_seconds({1, 2, 3});
  runs[1].counters["rows"] = 5;
  const Stats stats = stats_of(runs, "counter:rows");
  REQUIRE(stats.count == 1);
  REQUIRE(stats.mean == 5.0);
  REQUIRE(stats.succeeded == 3);
}

TEST_CASE("steps have statistics of their totals") {
  std::vector<Run> runs = of_seconds({10, 20});
  for (Run& run : runs) {
    Step step;
    step.name = "merge";
    step.count = 1;
    step.total = static_cast<std::uint64_t>(*run.duration / 2);
    run.steps.push_back(step);
  }
  const Stats stats = stats_of(runs, "duration", "merge");
  REQUIRE(stats.count == 2);
  REQUIRE(stats.mean == 7.5);
  REQUIRE(stats_of(runs, "duration", "sort").count == 0);
}

TEST_CASE("the order of the runs does not matter to a single bit") {
  std::mt19937 random(20240229);
  std::vector<Run> runs;
  for (std::uint32_t i = 1; i <= 500; ++i) {
    runs.push_back(took(i, static_cast<Nanos>(random()), State::kSucceeded, kStart + random() % 50));
    runs.back().counters["rows"] = static_cast<double>(random()) * 1e-3;
  }
  const Stats durations = stats_of(runs);
  const Stats rows = stats_of(runs, "counter:rows");
  std::shuffle(runs.begin(), runs.end(), random);
  REQUIRE(stats_of(runs).mean == durations.mean);
  REQUIRE(stats_of(runs).stddev == durations.stddev);
  REQUIRE(stats_of(runs).high->run_id == durations.high->run_id);
  REQUIRE(stats_of(runs, "counter:rows").mean == rows.mean);
  REQUIRE(stats_of(runs, "counter:rows").stddev == rows.stddev);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
