#include "aggregator/stats/change_points.h"

#include "aggregator/stats/rollup.h"

#include "tests/aggregator/stats/noise.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

std::vector<TimePoint> an_hour_apart(const std::vector<double>& values) {
  std::vector<TimePoint> points;
  for (const double value : values) points.push_back({static_cast<Nanos>(points.size()) * kHour, value, 2});
  return points;
}

TEST_CASE("a change is told with its time, its levels, and how many runs say so") {
  const auto found = change_points(an_hour_apart(fakes::noisy({{60, 40}, {100, 60}, {130, 30}}, 0.05, 1)),
                                   *Measure::parse("duration"));
  CHECK(found.points == 130);
  REQUIRE(found.changes.size() == 2);
  const ChangePoint& slower = found.changes[0];
  CHECK(slower.at == 60 * kHour);
  CHECK(slower.since == 0);
  CHECK(slower.until == 100 * kHour);
  CHECK(slower.runs_before == 120);
  CHECK(slower.runs_after == 80);
  CHECK(slower.ratio == slower.median_after / slower.median_before);
  CHECK(slower.verdict == Verdict::kSlower);
  CHECK(slower.explanation.find("median ") == 0);
  CHECK(slower.explanation.find(" s over 80 runs against ") != std::string::npos);
  CHECK(slower.explanation.find(" s over 120 before, +") != std::string::npos);
  CHECK(slower.explanation.find(", p < 0.0001: slower") != std::string::npos);
  CHECK(found.changes[1].verdict == Verdict::kFaster);
  CHECK(found.changes[1].since == 60 * kHour);
  CHECK_FALSE(found.changes[1].until);
}

TEST_CASE("long series are put together, and nothing of them is lost") {
  std::vector<double> values;
  for (int i = 0; i < 25; ++i) values.push_back(i);
  const auto points = an_hour_apart(values);
  CHECK(grouped(points, 25).size() == 25);
  const auto fewer = grouped(points, 10);
  REQUIRE(fewer.size() == 9);
  CHECK(fewer[0].at == 0);
  CHECK(fewer[0].value == 1);
  CHECK(fewer[0].runs == 6);
  CHECK(fewer[8].at == 24 * kHour);
  CHECK(fewer[8].runs == 2);
  CHECK(grouped({}, 10).empty());
}

TEST_CASE("a change in a long history is found to the group") {
  const auto points = grouped(an_hour_apart(fakes::noisy({{6000, 40}, {10'000, 46}}, 0.3, 2)), kPointsMax);
  REQUIRE(points.size() == 1000);
  const auto found = change_points(points, *Measure::parse("duration"));
  REQUIRE(found.changes.size() == 1);
  CHECK(found.changes[0].at >= 5980 * kHour);
  CHECK(found.changes[0].at <= 6020 * kHour);
  CHECK(found.changes[0].runs_before + found.changes[0].runs_after == 20'000);
}

TEST_CASE("builds are named once each, in order") {
  std::vector<Run> runs(4);
  runs[0].version = "2";
  runs[1].version = "10";
  runs[2].version = "2";
  runs[2].build_id = "7f3c";
  std::vector<std::string> versions = {"old"};
  std::vector<std::string> builds;
  name_builds(runs, &versions, &builds);
  CHECK(versions == std::vector<std::string>{"10", "2"});
  CHECK(builds == std::vector<std::string>{"7f3c"});
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
