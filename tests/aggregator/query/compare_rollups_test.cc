// Comparisons of more runs than are read one by one, or of runs that have expired, against the same from single runs.
#include <algorithm>
#include <utility>
#include <vector>

#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/aggregator/query/near.h"
#include "tests/aggregator/stats/noise.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;
using stats::kDay;
using stats::kHour;

// A year of runs, `apart` from each other; from the middle on they take `factor` times as long.
struct Year {
  fakes::FaultyStore store;
  Query query{store};
  Nanos begin = at("2023-01-01T00:00:00Z");
  std::vector<Run> all;

  Year(int runs, Nanos apart, double factor) {
    const auto half = static_cast<std::size_t>(runs) / 2;
    const auto durations = fakes::noisy({{half, 40}, {2 * half, 40 * factor}}, 0.2, 1);
    for (const double duration : durations) {
      const auto number = static_cast<std::uint32_t>(all.size());
      Run run = finished(started("job", number + 1, begin + number * apart), seconds(duration));
      run.steps.push_back({"load", 1, 0, static_cast<std::uint64_t>(seconds(duration / 2)), 0, 0, {}});
      run.counters["rows"] = 10 * duration;
      if (number % 50 == 49) run.state = State::kFailed;
      all.push_back(run);
    }
    REQUIRE(store.commit(all, begin).ok());
  }
  Nanos middle() const { return all[all.size() / 2].started_at; }

  // Those of [since, until) against those of [from, to), one by one.
  stats::Comparison exact(Nanos since, Nanos until, Nanos from, Nanos to) const {
    stats::Comparer comparer({}, {}, kGraceDefault);
    for (const Run& run : all) {
      if (run.started_at >= since && run.started_at < until) comparer.add_window(run);
      if (run.started_at >= from && run.started_at < to) comparer.add_baseline(run);
    }
    return comparer.finish();
  }
};

CompareRequest halves(const Year& year) {
  CompareRequest request;
  request.filter.job = "job";
  request.filter.since = year.middle();
  request.baseline_since = year.begin;
  return request;
}

void check_alike(const stats::Difference& rolled, const stats::Difference& exact) {
  CHECK(rolled.step == exact.step);
  CHECK(rolled.verdict == exact.verdict);
  check_near(rolled.window, exact.window);
  check_near(rolled.baseline, exact.baseline);
  CHECK(std::abs(*rolled.probability_slower - *exact.probability_slower) < 0.005);
}

TEST_CASE("a year is compared by its rollups, and says the same within their error") {
  // 25 minutes apart, so that edges cut hours and days.
  Year year(42'000, 25 * 60 * kNanosPerSecond, 1.2);
  const CompareRequest request = halves(year);
  const auto comparison = year.query.compare(request);
  REQUIRE(comparison.ok());
  const auto exact = year.exact(year.middle(), kNanosEnd, year.begin, year.middle());
  CHECK(comparison->total.window.quantile_error == Sketch::kRelativeError);
  CHECK_FALSE(comparison->total.window.rounded.approximate);
  check_alike(comparison->total, exact.total);
  CHECK(comparison->total.verdict == stats::Verdict::kSlower);
  REQUIRE(comparison->steps.size() == 1);
  check_alike(comparison->steps[0], exact.steps[0]);
  REQUIRE(comparison->normalized);
  CHECK(comparison->normalized->counter == "rows");
  check_within(comparison->normalized->counter_ratio, exact.normalized->counter_ratio, 0.0111);
  CHECK(year.store.scans == 0);
}

TEST_CASE("a large window has the runs before it as its baseline all the same") {
  Year year(42'000, 25 * 60 * kNanosPerSecond, 1.2);
  CompareRequest request = halves(year);
  request.baseline_since.reset();
  auto comparison = year.query.compare(request);
  REQUIRE(comparison.ok());
  CHECK(comparison->total.baseline.count == kBaselineRuns);
  CHECK(comparison->total.baseline.high->at < year.middle());
  CHECK(comparison->total.window.count > kSingleRunsMax);
  CHECK(comparison->steps.at(0).baseline.count == kBaselineRuns);
  // And the last runs everything before them.
  request.filter.since.reset();
  request.baseline_since = year.begin;
  comparison = year.query.compare(request);
  REQUIRE(comparison.ok());
  CHECK(comparison->total.window.count == kWindowRuns);
  CHECK(comparison->total.baseline.count == 42'000 / 50 * 49 - kWindowRuns);
  CHECK(comparison->steps.at(0).baseline.count == comparison->total.baseline.count);
}

TEST_CASE("a step or another measure of a year is compared by its rollups") {
  Year year(42'000, 25 * 60 * kNanosPerSecond, 1.2);
  CompareRequest request = halves(year);
  request.step = "load";
  auto comparison = year.query.compare(request);
  REQUIRE(comparison.ok());
  CHECK(comparison->total.step == "load");
  CHECK(comparison->total.window.quantile_error > 0);
  CHECK(comparison->total.verdict == stats::Verdict::kSlower);
  request.step.clear();
  request.measure = *stats::Measure::parse("seconds_per:rows");
  comparison = year.query.compare(request);
  REQUIRE(comparison.ok());
  CHECK(comparison->total.verdict == stats::Verdict::kUnchanged);
  CHECK(comparison->steps.empty());
}

TEST_CASE("few runs, and those of other filters, are compared one by one") {
  Year few(1'000, 8 * kHour, 1.2);
  CompareRequest request = halves(few);
  CHECK(few.query.compare(request)->total.window.quantile_error == 0);
  CHECK(few.query.compare(request)->total.shift);
  Year many(42'000, 25 * 60 * kNanosPerSecond, 1.2);
  request = halves(many);
  request.filter.host = "nowhere";
  CHECK(many.query.compare(request)->total.window.count == 0);
  many.store.summarize_error = absl::UnavailableError("busy");
  CHECK(many.query.compare(request).ok());
  CHECK(absl::IsUnavailable(many.query.compare(halves(many)).status()));
}

TEST_CASE("runs that have expired are compared by what is left of them, none on both sides") {
  Year year(1'000, 8 * kHour, 1.2);
  REQUIRE(year.store.put_job("job", {.retention_days = 1}).ok());
  const Nanos now = year.all.back().started_at + kDay;
  for (bool more = true; more;) {
    const auto done = year.store.maintain(now, true);
    REQUIRE(done.ok());
    more = done->more;
  }
  REQUIRE(*year.store.complete_since("job") > year.middle());
  CompareRequest request = halves(year);
  for (const Nanos cut : {Nanos{0}, kHour / 2, kHour / 3}) {
    request.filter.since = year.middle() + cut;
    const auto comparison = year.query.compare(request);
    REQUIRE(comparison.ok());
    const stats::Difference& total = comparison->total;
    CHECK(total.window.count + total.baseline.count == 980);
    CHECK(total.window.quantile_error > 0);
    CHECK(total.window.rounded.approximate == (cut != 0));
    CHECK(total.verdict == stats::Verdict::kSlower);
  }
  request.filter.since.reset();
  request.filter.until = year.middle() + kHour / 2;
  request.baseline_since = request.filter.until;
  request.baseline_until = now;
  request.filter.since = year.begin;
  const auto later = year.query.compare(request);
  REQUIRE(later.ok());
  CHECK(later->total.window.count + later->total.baseline.count == 980);
  CHECK(later->total.baseline.rounded.approximate);
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
