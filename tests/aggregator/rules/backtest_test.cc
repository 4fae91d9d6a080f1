#include "aggregator/rules/backtest.h"

#include <catch2/catch.hpp>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::JobSpec;
using aggregator::Run;
using aggregator::State;
using aggregator::rules::backtest;
using aggregator::rules::BacktestResult;
using aggregator::rules::Limits;
using namespace fakes;

std::vector<Run> hourly_runs(std::uint32_t count) {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < count; ++i) runs.push_back(finished(started("job", i + 1, at(i)), 10 * kMinute));
  return runs;
}

TEST_CASE("A back-test tells which past runs and gaps a specification would have alerted on") {
  auto runs = hourly_runs(48);
  runs[3].started_at += 20 * kMinute;
  runs[5] = finished(started("job", 6, at(5)), 50 * kMinute);
  runs[9].state = State::kFailed;
  runs[10].state = State::kFailed;
  runs.erase(runs.begin() + 20);
  JobSpec spec = hourly();
  spec.max_duration = 30 * kMinute;
  const BacktestResult result = backtest("job", spec, runs, kMidnight, at(48));
  CHECK(result.runs == 47);
  CHECK(result.alerted_runs == 3);
  CHECK(result.gaps == 1);
  CHECK(result.summary == "3 of 47 runs, and 1 gap");
  REQUIRE(result.delays.size() == 3);
  REQUIRE(result.alerts.size() == 5);
  for (const auto& alert : result.alerts) CHECK_FALSE(alert.open());
}

TEST_CASE("A back-test finds nothing where nothing is wrong, in whatever order the runs are given") {
  auto runs = hourly_runs(30);
  std::reverse(runs.begin(), runs.end());
  const BacktestResult result = backtest("job", hourly(), runs, kMidnight, at(29, 30));
  CHECK(result.delays.empty());
  CHECK(result.alerts.empty());
  CHECK(result.summary == "0 of 30 runs");
}

TEST_CASE("A back-test of a range leaves out what started outside, and what is open at its end is open") {
  JobSpec spec = hourly();
  spec.max_duration = 5 * kMinute;
  spec.paused_until = aggregator::kNanosEnd;
  const BacktestResult result = backtest("job", spec, hourly_runs(30), at(10), at(12, 8));
  CHECK(result.runs == 3);
  REQUIRE(result.delays.size() == 3);
  CHECK(result.delays[2].open());
  CHECK_FALSE(result.delays[1].open());
}

TEST_CASE("A back-test knows what has been learned") {
  const BacktestResult result =
      backtest("job", JobSpec{}, hourly_runs(3), kMidnight, at(3), Limits{5 * kMinute, {}, 4 * kMinute, 20});
  REQUIRE(result.alerts.size() == 3);
  CHECK(result.alerts[0].kind == AlertKind::kSlower);
}

}  // namespace
}  // namespace kleptometrics
