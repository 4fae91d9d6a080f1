#include "aggregator/stats/compare.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;
using Values = std::vector<double>;

constexpr Nanos kGrace = 60 * kNanosPerSecond;

RankTest rank_test(const Values& window, const Values& baseline) {
  const auto test = mann_whitney(window, baseline);
  REQUIRE(test);
  return *test;
}

bool close(double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b)); }

// Runs of these durations; steps: name and seconds, of every run.
struct Sides {
  Comparer comparer;
  std::uint32_t number = 0;

  explicit Sides(const std::string& measure = "duration", const std::string& step = "")
      : comparer(*Measure::parse(measure), step, kGrace) {}

  Run took(double duration, const std::vector<std::pair<std::string, double>>& steps = {}) {
    Run run = finished(started("job", ++number), seconds(duration));
    for (const auto& [name, total] : steps) {
      run.steps.push_back({name, 1, 0, static_cast<std::uint64_t>(seconds(total)), 0, 0, {}});
    }
    return run;
  }
  Sides& window(const Values& durations) {
    for (const double duration : durations) comparer.add_window(took(duration));
    return *this;
  }
  Sides& baseline(const Values& durations) {
    for (const double duration : durations) comparer.add_baseline(took(duration));
    return *this;
  }
  Difference total() { return comparer.finish().total; }
};

Values repeated(double value, int times) { return Values(static_cast<std::size_t>(times), value); }

Values from(double first, int count, double by = 1) {
  Values values;
  for (int i = 0; i < count; ++i) values.push_back(first + by * i);
  return values;
}

TEST_CASE("the rank test agrees with the arithmetic of its source") {
  // 5 against 5, all of the one above all of the other: U = 25, mean 12.5, variance 25 * 11 / 12.
  const RankTest apart = rank_test({6, 7, 8, 9, 10}, {1, 2, 3, 4, 5});
  CHECK(apart.probability_slower == 1);
  CHECK(close(apart.p_value, std::erfc(12.0 / std::sqrt(25.0 * 11 / 12) / std::sqrt(2.0))));
  CHECK(std::abs(apart.p_value - 0.012185780355344813) < 1e-12);
  // 1 4 6 against 2 3 5 7: pairs above 0 + 2 + 3 = 5 of 12; mean 6, |5 - 6| - 0.5 = 0.5, variance 12 * 8 / 12 = 8.
  const RankTest mixed = rank_test({4, 1, 6}, {7, 2, 5, 3});
  CHECK(close(mixed.probability_slower, 5.0 / 12));
  CHECK(close(mixed.p_value, std::erfc(0.5 / std::sqrt(8.0) / std::sqrt(2.0))));
}

TEST_CASE("ties count half, and make the test less certain") {
  // 1 2 2 against 2 3: pairs above 0, equal 2: U = 1 of 6. Ranks: one group of three equal values, 27 - 3 = 24.
  const RankTest test = rank_test({1, 2, 2}, {2, 3});
  CHECK(close(test.probability_slower, 1.0 / 6));
  const double variance = 6.0 / 12 * (6 - 24.0 / (5 * 4));
  CHECK(close(test.p_value, std::erfc((2 - 0.5) / std::sqrt(variance) / std::sqrt(2.0))));
}

TEST_CASE("equal samples show nothing") {
  CHECK(rank_test(repeated(3, 9), repeated(3, 4)).p_value == 1);
  CHECK(rank_test(repeated(3, 9), repeated(3, 4)).probability_slower == 0.5);
  CHECK(rank_test({1, 2, 3}, {1, 2, 3}).p_value == 1);
  CHECK(rank_test({1}, {1}).p_value == 1);
  CHECK(rank_test({2}, {1}).probability_slower == 1);
}

TEST_CASE("without values there is no test") {
  CHECK_FALSE(mann_whitney({}, {1}));
  CHECK_FALSE(mann_whitney({1}, {}));
}

TEST_CASE("the two sides of the test mirror each other") {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    Values a(1 + random() % 20);
    Values b(1 + random() % 20);
    for (Values* values : {&a, &b}) {
      for (double& value : *values) value = static_cast<double>(random() % 10);
    }
    const RankTest ab = rank_test(a, b);
    const RankTest ba = rank_test(b, a);
    CHECK(close(ab.probability_slower + ba.probability_slower, 1));
    CHECK(close(ab.p_value, ba.p_value));
    double pairs = 0;
    for (const double x : a) {
      for (const double y : b) pairs += x > y ? 1 : x == y ? 0.5 : 0;
    }
    CHECK(close(ab.probability_slower, pairs / static_cast<double>(a.size() * b.size())));
    CHECK(ab.p_value >= 0);
    CHECK(ab.p_value <= 1);
  }
}

TEST_CASE("a job that takes longer by more than chance is slower, and the sentence says by how much") {
  const Difference total = Sides().window(from(60, 30, 0.1)).baseline(from(43, 200, 0.005)).total();
  CHECK(total.verdict == Verdict::kSlower);
  CHECK(total.window.count == 30);
  CHECK(total.window.median == 61.4);
  CHECK(total.baseline.median == 43.495);
  CHECK(close(*total.median_ratio, 61.4 / 43.495));
  CHECK(*total.probability_slower == 1);
  CHECK(total.explanation == "median 61.4 s against 43.5 s over 30 runs, +41 %, p < 0.0001: slower");
}

TEST_CASE("the other way round it is faster") {
  const Difference total = Sides().window(from(43, 10, 0.1)).baseline(from(60, 10, 0.1)).total();
  CHECK(total.verdict == Verdict::kFaster);
  CHECK(*total.probability_slower == 0);
  CHECK(total.explanation == "median 43.4 s against 60.4 s over 10 runs, -28 %, p = 0.0002: faster");
}

TEST_CASE("a difference that is certain but small is no change, from 5 % on it is one") {
  CHECK(Sides().window(repeated(104.9, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kUnchanged);
  CHECK(Sides().window(repeated(105, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kSlower);
  CHECK(Sides().window(repeated(45.675, 30)).baseline(repeated(43.5, 30)).total().verdict == Verdict::kSlower);
  CHECK(Sides().window(repeated(95, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kFaster);
}

TEST_CASE("a large difference that may be chance is no change") {
  // Five each, all apart: p = 0.012.
  const Difference total = Sides().window(from(20, 5)).baseline(from(1, 5)).total();
  CHECK(total.verdict == Verdict::kUnchanged);
  CHECK(total.explanation == "median 22.0 s against 3.00 s over 5 runs, +633 %, p = 0.01: unchanged");
}

TEST_CASE("where ranks and medians disagree nothing is said") {
  // The median rises, but most runs of the window are below most of the baseline.
  Values window = repeated(1, 49);
  const Values above = repeated(12, 51);
  window.insert(window.end(), above.begin(), above.end());
  Values baseline = repeated(10, 51);
  const Values far = repeated(20, 49);
  baseline.insert(baseline.end(), far.begin(), far.end());
  const Difference total = Sides().window(window).baseline(baseline).total();
  REQUIRE(*total.p_value < kSignificance);
  REQUIRE(*total.median_ratio == 1.2);
  REQUIRE(*total.probability_slower < 0.5);
  CHECK(total.verdict == Verdict::kUnchanged);
}

TEST_CASE("too few runs on one side are no sample") {
  const Difference total = Sides().window(repeated(9, 4)).baseline(repeated(1, 200)).total();
  CHECK(total.verdict == Verdict::kInsufficientData);
  CHECK(total.explanation == "values of 4 runs against 200; each side needs 5: insufficient_data");
  CHECK(total.median_ratio == 9.0);
  const Difference none = Sides().window(repeated(9, 50)).total();
  CHECK(none.verdict == Verdict::kInsufficientData);
  CHECK_FALSE(none.median_ratio);
  CHECK_FALSE(none.p_value);
  CHECK_FALSE(none.probability_slower);
  CHECK(Sides().total().explanation == "values of 0 runs against 0; each side needs 5: insufficient_data");
}

TEST_CASE("against nothing there is no ratio, but there may be a change") {
  const Difference total = Sides().window(repeated(1, 30)).baseline(repeated(0, 30)).total();
  CHECK_FALSE(total.median_ratio);
  CHECK_FALSE(total.p95_ratio);
  CHECK(total.verdict == Verdict::kSlower);
  CHECK(total.explanation == "median 1.00 s against 0 s over 30 runs, p < 0.0001: slower");
  CHECK(Sides().window(repeated(0, 30)).baseline(repeated(0, 30)).total().verdict == Verdict::kUnchanged);
}

TEST_CASE("only runs that succeeded are compared") {
  Sides sides;
  sides.window(repeated(1, 5)).baseline(repeated(1, 5));
  Run failed = sides.took(100);
  failed.state = State::kFailed;
  sides.comparer.add_window(failed);
  sides.comparer.add_window(started("job", 99));
  CHECK(sides.total().window.count == 5);
}

TEST_CASE("steps come with the largest difference of time a run first") {
  Sides sides;
  for (int i = 0; i < 10; ++i) {
    sides.comparer.add_window(sides.took(100, {{"load", 11}, {"merge", 80}, {"new", 5}}));
    sides.comparer.add_baseline(sides.took(50, {{"load", 10}, {"merge", 30}, {"gone", 9}}));
  }
  const Comparison comparison = sides.comparer.finish();
  REQUIRE(comparison.steps.size() == 4);
  CHECK(comparison.steps[0].step == "merge");
  CHECK(comparison.steps[0].verdict == Verdict::kSlower);
  CHECK(comparison.steps[0].explanation == "median 80.0 s against 30.0 s over 10 runs, +167 %, p < 0.0001: slower");
  CHECK(comparison.steps[1].step == "gone");
  CHECK(comparison.steps[1].verdict == Verdict::kInsufficientData);
  CHECK(comparison.steps[2].step == "new");
  CHECK(comparison.steps[3].step == "load");
}

TEST_CASE("a step that few runs have weighs what it costs a run") {
  Sides sides;
  for (int i = 0; i < 10; ++i) {
    sides.comparer.add_baseline(sides.took(50, {{"steady", 10}}));
    sides.comparer.add_window(i == 0 ? sides.took(50, {{"steady", 12}, {"rare", 15}})
                                     : sides.took(50, {{"steady", 12}}));
  }
  const Comparison comparison = sides.comparer.finish();
  REQUIRE(comparison.steps.size() == 2);
  CHECK(comparison.steps[0].step == "steady");  // 2 s a run; `rare` costs 1.5 s
  CHECK(comparison.steps[1].window.count == 1);
  CHECK(comparison.steps[1].window.succeeded == 10);
}

TEST_CASE("one step, or another measure, is compared by itself") {
  Sides step("duration", "load");
  Sides counter("counter:rows");
  for (int i = 0; i < 6; ++i) {
    for (Sides* sides : {&step, &counter}) {
      Run run = sides->took(50, {{"load", 20}});
      run.counters["rows"] = 1'234'567;
      sides->comparer.add_window(run);
      run.counters["rows"] = 1000;
      sides->comparer.add_baseline(run);
    }
  }
  const Comparison of_step = step.comparer.finish();
  CHECK(of_step.total.step == "load");
  CHECK(of_step.total.window.median == 20.0);
  CHECK(of_step.steps.empty());
  const Comparison of_counter = counter.comparer.finish();
  CHECK(of_counter.total.explanation == "median 1.23457e+06 against 1000 over 6 runs, 1235 times as much, p = 0.0013: slower");
  CHECK(of_counter.steps.empty());
}

TEST_CASE("a comparison does not depend on the order of the runs") {
  std::mt19937 random(20240229);
  Values a(100);
  Values b(300);
  for (double& value : a) value = static_cast<double>(random() % 1000) / 7;
  for (double& value : b) value = static_cast<double>(random() % 1000) / 9;
  const Difference once = Sides().window(a).baseline(b).total();
  std::shuffle(a.begin(), a.end(), random);
  std::shuffle(b.begin(), b.end(), random);
  const Difference again = Sides().window(a).baseline(b).total();
  CHECK(once.p_value == again.p_value);
  CHECK(once.probability_slower == again.probability_slower);
  CHECK(once.explanation == again.explanation);
}

TEST_CASE("verdicts are named as the API spells them") {
  CHECK(name_of(Verdict::kSlower) == "slower");
  CHECK(name_of(Verdict::kFaster) == "faster");
  CHECK(name_of(Verdict::kUnchanged) == "unchanged");
  CHECK(name_of(Verdict::kInsufficientData) == "insufficient_data");
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
