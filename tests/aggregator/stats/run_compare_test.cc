#include "aggregator/stats/run_compare.h"

#include <cmath>
#include <utility>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;
using Steps = std::vector<std::pair<std::string, double>>;

constexpr Nanos kGrace = 60 * kNanosPerSecond;

Run took(double duration, const Steps& steps = {}, std::uint32_t number = 1) {
  Run run = finished(started("job", number), seconds(duration));
  for (const auto& [name, total] : steps) {
    run.steps.push_back({name, 1, 0, static_cast<std::uint64_t>(seconds(total)), 0, 0, {}});
  }
  return run;
}

// Against runs of 1 .. count minutes.
RunComparison against_minutes(double minutes, int count) {
  RunComparer comparer(took(60 * minutes), kGrace);
  for (int i = 1; i <= count; ++i) comparer.add(took(60.0 * i, {}, 100 + static_cast<std::uint32_t>(i)));
  return comparer.finish();
}

TEST_CASE("a run has its rank among those of its baseline, equal ones half") {
  CHECK(against_minutes(201, 200).percentile_rank == 1.0);
  CHECK(against_minutes(150.5, 200).percentile_rank == 0.75);
  CHECK(against_minutes(150, 200).percentile_rank == 149.5 / 200);
  CHECK(against_minutes(0.5, 200).percentile_rank == 0.0);
  CHECK_FALSE(against_minutes(1, 0).percentile_rank);
}

TEST_CASE("a run beyond nearly all of its baseline is slower or faster") {
  CHECK(against_minutes(198, 200).verdict == Verdict::kSlower);
  CHECK(against_minutes(190, 200).verdict == Verdict::kUnchanged);
  CHECK(against_minutes(3, 200).verdict == Verdict::kFaster);
  CHECK(against_minutes(100, 20).verdict == Verdict::kSlower);
  CHECK(against_minutes(100, 19).verdict == Verdict::kInsufficientData);
  RunComparer steady(took(104), kGrace);
  for (std::uint32_t i = 2; i < 50; ++i) steady.add(took(100, {}, i));
  CHECK(steady.finish().verdict == Verdict::kUnchanged);  // beyond all, by 4 %
}

TEST_CASE("the sentence has the rank, the median and the step in which the time went") {
  RunComparer comparer(took(41 * 60, {{"merge", 20 * 60}, {"load", 300}}), kGrace);
  for (std::uint32_t i = 0; i < 200; ++i)
    comparer.add(took(i < 3 ? 3600 : 22 * 60, {{"merge", 120}, {"load", 240}}, i + 2));
  CHECK(comparer.finish().explanation ==
        "41.0 min against a median of 22.0 min of 200 runs, slower than 98.5 % of them: slower; 18 of the 19 min more "
        "in `merge`");
  CHECK(against_minutes(3, 200).explanation ==
        "3.00 min against a median of 100 min of 200 runs, faster than 98.8 % of them: faster");
  CHECK(against_minutes(9, 3).explanation ==
        "9.00 min against a median of 2.00 min of 3 runs, slower than 100 % of them; a verdict needs 20: "
        "insufficient_data");
  CHECK(against_minutes(2, 0).explanation == "2.00 min against no successful run before it: insufficient_data");
}

TEST_CASE("only successful runs are a baseline, and what a run never said is unknown") {
  Run unknown = took(60);
  unknown.duration.reset();
  unknown.finished_at.reset();
  RunComparer comparer(unknown, kGrace);
  Run failed = took(50, {}, 2);
  failed.state = State::kFailed;
  comparer.add(failed);
  comparer.add(took(50, {}, 3));
  const RunComparison comparison = comparer.finish();
  CHECK(comparison.baseline->count == 1);
  CHECK_FALSE(comparison.total.value);
  CHECK(comparison.total.reference == 50.0);
  CHECK_FALSE(comparison.percentile_rank);
  CHECK(comparison.explanation == "it is not known how long the run took: insufficient_data");
}

TEST_CASE("two runs are compared part by part") {
  Run run = took(100, {{"load", 20}, {"merge", 70}});
  run.counters = {{"rows", 300}, {"files", 5}, {"new", 1}};
  run.resources.cpu_user = 50 * kNanosPerSecond;
  run.resources.max_rss_bytes = 3000;
  Run to = took(50, {{"load", 25}, {"gone", 10}}, 2);
  to.counters = {{"rows", 100}, {"files", 5}};
  to.resources.cpu_system = 25 * kNanosPerSecond;
  to.resources.max_rss_bytes = 1000;
  to.resources.read_bytes = 7;
  const RunComparison comparison = compare_runs(run, to);
  CHECK(comparison.to->id == to.id);
  CHECK_FALSE(comparison.baseline);
  CHECK(comparison.total.difference == 50.0);
  CHECK(comparison.total.ratio == 2.0);
  CHECK(comparison.verdict == Verdict::kSlower);
  CHECK(comparison.explanation == "100 s against 50.0 s, +100 %: slower; 70 s more in `merge`");
  REQUIRE(comparison.steps.size() == 3);
  CHECK(comparison.steps[0].name == "merge");
  CHECK(comparison.steps[0].difference == 70.0);
  CHECK_FALSE(comparison.steps[0].reference);
  CHECK(comparison.steps[1].name == "gone");
  CHECK(comparison.steps[1].difference == -10.0);
  CHECK_FALSE(comparison.steps[1].value);
  CHECK(comparison.steps[2].name == "load");
  REQUIRE(comparison.counters.size() == 3);
  CHECK(comparison.counters[0].name == "new");
  CHECK_FALSE(comparison.counters[0].difference);
  CHECK(comparison.counters[1].name == "rows");
  CHECK(comparison.counters[1].ratio == 3.0);
  CHECK(comparison.counters[2].difference == 0.0);
  REQUIRE(comparison.resources.size() == 3);
  CHECK(comparison.resources[0].name == "cpu_seconds");
  CHECK(comparison.resources[0].difference == 25.0);
  CHECK(comparison.resources[1].ratio == 3.0);
  CHECK_FALSE(comparison.resources[2].difference);
}

TEST_CASE("two runs that take the same within 5 % are unchanged") {
  CHECK(compare_runs(took(104.9), took(100, {}, 2)).verdict == Verdict::kUnchanged);
  CHECK(compare_runs(took(105), took(100, {}, 2)).verdict == Verdict::kSlower);
  CHECK(compare_runs(took(50), took(100, {}, 2)).explanation == "50.0 s against 100 s, -50 %: faster");
}

TEST_CASE("parts of a baseline are medians, and a run without a step spent no time in it") {
  RunComparer comparer(took(10, {{"often", 5}, {"rare", 5}}), kGrace);
  for (std::uint32_t i = 0; i < 9; ++i) {
    Run run = took(10, i < 6 ? Steps{{"often", 2}} : Steps{{"rare", 4}}, i + 2);
    run.counters["rows"] = i;
    comparer.add(run);
  }
  const RunComparison comparison = comparer.finish();
  REQUIRE(comparison.steps.size() == 2);
  CHECK(comparison.steps[0].name == "rare");
  CHECK(comparison.steps[0].reference == 0.0);
  CHECK_FALSE(comparison.steps[0].ratio);
  CHECK(comparison.steps[1].reference == 2.0);
  REQUIRE(comparison.counters.size() == 1);
  CHECK(comparison.counters[0].reference == 4.0);
  CHECK_FALSE(comparison.counters[0].value);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
