#include "aggregator/stats/compare_rollups.h"

#include <cmath>

#include "tests/aggregator/stats/noise.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::finished;
using fakes::noisy;
using fakes::seconds;
using fakes::started;

constexpr Nanos kGrace = 60 * kNanosPerSecond;

// The same runs by both ways.
struct Both {
  Series series;
  Comparer exact;
  RollupSide window, baseline;
  std::uint32_t number = 0;

  explicit Both(const std::string& text = "duration")
      : series(*series_named(text)), exact(series.measure, series.step, kGrace) {}

  void add(bool to_window, double load, double records, State state = State::kSucceeded) {
    Run run = finished(started("job", ++number), seconds(load + 1), state);
    run.steps.push_back({"load", 1, 0, static_cast<std::uint64_t>(seconds(load)), 0, 0, {}});
    run.counters["records"] = records;
    if (to_window) {
      exact.add_window(run);
      window.add(run, series);
    } else {
      exact.add_baseline(run);
      baseline.add(run, series);
    }
  }
  void fill(double factor, double records) {
    for (const double value : noisy({{300, 40 * factor}}, 0.2, 1)) add(true, value, records * value);
    for (const double value : noisy({{500, 40}}, 0.2, 2)) add(false, value, value);
  }
};

bool near(std::optional<double> a, std::optional<double> b, double off) {
  return a && b && std::abs(*a - *b) <= off * std::abs(*b);
}

void check_alike(const Difference& rolled, const Difference& exact) {
  CHECK(rolled.step == exact.step);
  CHECK(rolled.verdict == exact.verdict);
  CHECK(rolled.window.count == exact.window.count);
  CHECK(rolled.baseline.count == exact.baseline.count);
  CHECK(near(rolled.window.mean, exact.window.mean, 1e-9));
  CHECK(rolled.window.min == exact.window.min);
  CHECK(rolled.baseline.max == exact.baseline.max);
  CHECK(near(rolled.window.median, exact.window.median, Sketch::kRelativeError));
  CHECK(near(rolled.baseline.p95, exact.baseline.p95, Sketch::kRelativeError));
  CHECK(rolled.window.quantile_error == Sketch::kRelativeError);
  CHECK(std::abs(*rolled.probability_slower - *exact.probability_slower) < 0.005);
  CHECK_FALSE(rolled.shift);
  CHECK(exact.shift);
}

TEST_CASE("rollups say of two sides what their single runs say, within the error of a sketch") {
  Both both;
  both.fill(1.3, 1);
  both.add(true, 1000, 1, State::kFailed);
  const Comparison rolled = compare_rollups(both.window, both.baseline, both.series);
  const Comparison exact = both.exact.finish();
  check_alike(rolled.total, exact.total);
  CHECK(rolled.total.window.failed == 0);
  CHECK(rolled.total.verdict == Verdict::kSlower);
  REQUIRE(rolled.steps.size() == 1);
  check_alike(rolled.steps[0], exact.steps[0]);
  CHECK(rolled.total.explanation.find(" s more in `load`") != std::string::npos);
}

TEST_CASE("rollups too name the counter by which nothing has changed") {
  Both both;
  both.fill(1.5, 1);
  const Comparison rolled = compare_rollups(both.window, both.baseline, both.series);
  REQUIRE(rolled.normalized);
  CHECK(rolled.normalized->counter == "records");
  CHECK(near(rolled.normalized->counter_ratio, both.exact.finish().normalized->counter_ratio, 0.011));
  Both slower;
  slower.fill(1.5, 0.5);
  CHECK_FALSE(compare_rollups(slower.window, slower.baseline, slower.series).normalized);
}

TEST_CASE("rollups of a step or of another measure are compared by themselves") {
  for (const char* text : {"step:load", "counter:records"}) {
    Both both(text);
    both.fill(1.5, 2);
    const Comparison rolled = compare_rollups(both.window, both.baseline, both.series);
    check_alike(rolled.total, both.exact.finish().total);
    CHECK(rolled.steps.empty());
    CHECK_FALSE(rolled.normalized);
  }
}

TEST_CASE("empty rollups are no sample") {
  const Comparison none = compare_rollups({}, {}, {});
  CHECK(none.total.verdict == Verdict::kInsufficientData);
  CHECK_FALSE(none.total.p_value);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
