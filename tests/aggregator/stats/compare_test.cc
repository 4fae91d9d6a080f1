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

TEST_CASE("the size of a difference is told beside its certainty") {
  const Difference total = Sides().window({5, 6, 7, 8, 9}).baseline({4, 5, 6, 7, 8}).total();
  CHECK(close(*total.probability_slower, 17.0 / 25));  // 15 pairs above, 4 equal
  CHECK(close(*total.effect_size, 2 * 17.0 / 25 - 1));
  CHECK(total.shift == 1.0);
}

TEST_CASE("the other way round it is faster") {
  const Difference total = Sides().window(from(43, 10, 0.1)).baseline(from(60, 10, 0.1)).total();
  CHECK(total.verdict == Verdict::kFaster);
  CHECK(*total.probability_slower == 0);
  CHECK(total.explanation == "median 43.4 s against 60.4 s over 10 runs, -28 %, p < 0.0001: faster");
}

TEST_CASE("a difference that is certain but small is no change, from 5 % on it is one") {
  CHECK(Sides().window(repeated(104.9, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kUnchanged);
  CHECK(Sides().window(repeated(105, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kSlower);
  CHECK(Sides().window(repeated(45.675, 30)).baseline(repeated(43.5, 30)).total().verdict == Verdict::kSlower);
  CHECK(Sides().window(repeated(95, 30)).baseline(repeated(100, 30)).total().verdict == Verdict::kFaster);
}

TEST_CASE("a large difference that may be chance is no change") {
  // Five each, all but one apart: 2 * 2 of the 252 orders are as far from the middle.
  const Difference total = Sides().window(from(20, 5)).baseline({1, 2, 3, 4, 20.5}).total();
  CHECK(total.verdict == Verdict::kUnchanged);
  CHECK(total.explanation == "median 22.0 s against 3.00 s over 5 runs, +633 %, p = 0.02: unchanged");
  // All apart: 2 of the 252.
  CHECK(Sides().window(from(20, 5)).baseline(from(1, 5)).total().verdict == Verdict::kSlower);
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

TEST_CASE("the step in which most of the time went is named, the deepest that still explains half of it") {
  Sides sides;
  for (int i = 0; i < 10; ++i) {
    sides.comparer.add_window(sides.took(3660 + i, {{"load", 60}, {"merge", 3480}, {"merge/sort", 2400}}));
    sides.comparer.add_baseline(sides.took(1200 + i, {{"load", 60}, {"merge", 1200}, {"merge/sort", 1100}}));
  }
  CHECK(
      sides.total().explanation ==
      "median 61.1 min against 20.1 min over 10 runs, +204 %, p < 0.0001: slower; 22 of the 41 min more in `merge/sort`");
}

TEST_CASE("where no step explains half of it none is named") {
  Sides sides;
  for (int i = 0; i < 10; ++i) {
    sides.comparer.add_window(sides.took(90 + i, {{"a", 25}, {"b", 25}}));
    sides.comparer.add_baseline(sides.took(50 + i, {{"a", 10}, {"b", 10}}));
  }
  CHECK(sides.total().explanation == "median 94.0 s against 54.0 s over 10 runs, +74 %, p < 0.0001: slower");
}

// Runs that take `per` seconds a record, give or take.
void count_records(Sides& sides, double records, double per, bool window) {
  for (int i = 0; i < 30; ++i) {
    const double counted = records + 7 * i;
    Run run = sides.took(counted * (per + 0.0001 * ((i * 7) % 30)));
    run.counters = {{"records", counted}, {"files", 3}};
    if (window) {
      sides.comparer.add_window(run);
    } else {
      sides.comparer.add_baseline(run);
    }
  }
}

TEST_CASE("where there was only more to do, the counter that says so is named") {
  Sides sides;
  count_records(sides, 2100, 0.1, true);
  count_records(sides, 1000, 0.1, false);
  const Comparison comparison = sides.comparer.finish();
  CHECK(comparison.total.verdict == Verdict::kSlower);
  REQUIRE(comparison.normalized);
  CHECK(comparison.normalized->counter == "records");
  CHECK(comparison.normalized->verdict == Verdict::kUnchanged);
  CHECK(close(*comparison.normalized->counter_ratio, 2198.0 / 1098));
  CHECK(close(*comparison.normalized->window_median, *comparison.normalized->baseline_median));
  CHECK(close(*comparison.normalized->ratio, 1));
  CHECK(comparison.total.explanation.find("per `records` it is unchanged: 2.0 times as many") != std::string::npos);
}

TEST_CASE("a counter explains nothing where each of what it counts takes longer, or nothing changed") {
  Sides slower;
  count_records(slower, 1000, 0.2, true);
  count_records(slower, 1000, 0.1, false);
  CHECK_FALSE(slower.comparer.finish().normalized);
  Sides same;
  count_records(same, 1000, 0.1, true);
  count_records(same, 1000, 0.1, false);
  CHECK_FALSE(same.comparer.finish().normalized);
  Sides both;  // twice as many, and each takes twice as long
  count_records(both, 2000, 0.2, true);
  count_records(both, 1000, 0.1, false);
  CHECK_FALSE(both.comparer.finish().normalized);
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
  CHECK(of_counter.total.explanation ==
        "median 1.23457e+06 against 1000 over 6 runs, 1235 times as much, p = 0.0013: slower");
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
