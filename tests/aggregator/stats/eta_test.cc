#include "aggregator/stats/eta.h"

#include <cmath>
#include <vector>

#include "tests/aggregator/stats/noise.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::noisy;
using fakes::seconds;
using fakes::started;

Expectation learned(const std::vector<double>& durations) {
  Learner learner;
  for (std::size_t i = 0; i < durations.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    learner.add(finished(started("job", number, kStart + number * kNanosPerSecond), seconds(durations[i])));
  }
  return learner.finish();
}

// One to a hundred minutes.
Expectation minutes() {
  std::vector<double> durations;
  for (int i = 1; i <= 100; ++i) durations.push_back(60.0 * i);
  return learned(durations);
}

Total total(const Expectation& expected, double elapsed, std::optional<double> progress = {}) {
  const auto found = total_of(expected, elapsed, elapsed, progress);
  REQUIRE(found);
  CHECK(found->low <= found->median);
  CHECK(found->median <= found->high);
  CHECK(found->low >= elapsed);
  return *found;
}

TEST_CASE("by history a run ends as those did that took longer than it has by now") {
  CHECK(total(minutes(), 0).median == 60 * 50);
  CHECK(total(minutes(), 60 * 50).median == 60 * 75);
  CHECK(total(minutes(), 60 * 50).low == Approx(60 * 52.55));
  CHECK(total(minutes(), 60 * 50).high == Approx(60 * 98.45));
}

TEST_CASE("beyond all history a run is given the longer, the longer it has been overdue") {
  const Expectation expected = learned(noisy({{100, 100}}, 0.3, 5));
  const Total once = total(expected, 500);
  CHECK(once.median > 500);
  CHECK(once.median < 600);
  const Total twice = total(expected, 1000);
  CHECK(twice.median > 1000);
  CHECK(twice.high - twice.low > once.high - once.low);
  // However unlikely it has become, and of runs that all took the same.
  for (const double elapsed : {1e5, 1e9}) {
    CHECK(std::isfinite(total(expected, elapsed).high));
    CHECK(std::isfinite(total(learned(std::vector<double>(20, 60)), elapsed).high));
  }
}

TEST_CASE("by progress alone a run goes on as it did, and is the surer the further it is") {
  const Total half = total({}, 100, 0.5);
  CHECK(half.median == Approx(200));
  const Total nearly = total({}, 190, 0.95);
  CHECK(nearly.median == Approx(200));
  CHECK(nearly.high - nearly.low < half.high - half.low);
  CHECK_FALSE(total_of({}, 100, 100, 0.0));
  CHECK_FALSE(total_of({}, 100, 100, {}));
}

TEST_CASE("progress and history make one estimate between the two") {
  const Expectation expected = learned(noisy({{100, 100}}, 0.3, 5));
  const double history = total(expected, 0).median;
  const Total both = total(expected, 75, 0.5);  // by progress 150
  CHECK(both.median > history);
  CHECK(both.median < 150);
  CHECK(total(expected, 1, 0.001).median == Approx(history).epsilon(0.1));  // nothing is known yet by progress
  CHECK(total(expected, 147, 0.98).median == Approx(150).epsilon(0.02));    // nothing is to be learned by history
}

TEST_CASE("where progress contradicts all history, progress is believed") {
  const Expectation expected = learned(noisy({{100, 100}}, 0.05, 5));
  CHECK(total(expected, 1000, 0.5).median == Approx(2000).epsilon(0.1));
  CHECK(total(expected, 1000, 0.1).high > 5000);
}

TEST_CASE("a run that is far at once, as one that was resumed, is not taken for a fast one yet") {
  const Expectation expected = learned(noisy({{100, 1000}}, 0.3, 5));
  CHECK(total(expected, 0.01, 0.3).median == Approx(1000).epsilon(0.1));
  const double late = total(expected, 500, 0.95).median;  // by progress 526, and half of the usual time has passed
  CHECK(late > 526);
  CHECK(late < 650);
}

TEST_CASE("a run that is done by its own progress ends now") {
  const Total done = total(minutes(), 600, 1.0);
  CHECK(done.high == 600);
}

// On average over histories: one alone has hardly any run as long as the last of these.
TEST_CASE("the bands hold what they promise, in log-normal noise") {
  const std::vector<double> truth = noisy({{5000, 100}}, 0.4, 1000);
  for (const double elapsed : {0.0, 80.0, 150.0, 250.0}) {
    double within = 0;
    double before = 0;
    double longer = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const Total band = total(learned(noisy({{200, 100}}, 0.4, seed)), elapsed);
      for (const double value : truth) {
        if (value <= elapsed) continue;
        ++longer;
        within += value >= band.low && value <= band.high ? 1 : 0;
        before += value <= band.median ? 1 : 0;
      }
    }
    INFO(elapsed);
    CHECK(within / longer == Approx(0.9).margin(0.05));
    CHECK(before / longer == Approx(0.5).margin(0.07));
  }
}

TEST_CASE("an end is an instant, of a run that runs") {
  Run run = started("job", 1);
  const Nanos now = kStart + seconds(60 * 50);
  const auto eta = eta_of(run, minutes(), now);
  REQUIRE(eta);
  CHECK(eta->median == kStart + seconds(60 * 75));
  CHECK(eta->low > now);
  CHECK(eta->high > eta->median);
  CHECK_FALSE(eta_of(finished(run, seconds(60)), minutes(), now));
  CHECK_FALSE(eta_of(run, {}, now));
  // The progress is of the instant at which it was reported.
  run.progress = 0.9;
  run.duration = seconds(900);
  CHECK(eta_of(run, {}, kStart + seconds(950))->median == Approx(kStart + seconds(1000)));
  // A clock that went back, or a start in the last year that counts.
  CHECK(eta_of(run, minutes(), kStart - seconds(100))->low >= kStart);
  run.started_at = kNanosEnd - 1;
  CHECK(eta_of(run, minutes(), kNanosEnd - 1)->high <= kNanosEnd);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
