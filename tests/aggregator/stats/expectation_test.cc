#include "aggregator/stats/expectation.h"

#include <algorithm>
#include <cmath>
#include <string>
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
using Durations = std::vector<double>;

constexpr Nanos kHour = 3600 * kNanosPerSecond;

Run took(double duration, std::uint32_t number) {
  return finished(started("job", number, kStart + number * kHour), seconds(duration));
}

Expectation learned(const Durations& durations) {
  Learner learner;
  for (std::size_t i = 0; i < durations.size(); ++i) learner.add(took(durations[i], static_cast<std::uint32_t>(i)));
  return learner.finish();
}

double in_seconds(Nanos nanos) { return static_cast<double>(nanos) / static_cast<double>(kNanosPerSecond); }
double too_long(const Durations& durations) { return in_seconds(*learned(durations).limits()->too_long); }
std::optional<double> too_short(const Durations& durations) {
  const auto limit = learned(durations).limits()->too_short;
  return limit ? std::optional(in_seconds(*limit)) : std::nullopt;
}

// Of a series, those that the limits flag by the values before them.
struct Flags {
  std::size_t judged = 0, too_long = 0, too_short = 0, sustained = 0;
};
Flags flags(const Durations& durations) {
  Flags out;
  for (std::size_t i = kLearnedMin; i < durations.size(); ++i) {
    const Durations before(durations.begin(), durations.begin() + static_cast<std::ptrdiff_t>(i));
    const Limits limits = *learned(before).limits();
    ++out.judged;
    out.too_long += seconds(durations[i]) > *limits.too_long ? 1 : 0;
    out.too_short += limits.too_short && seconds(durations[i]) < *limits.too_short ? 1 : 0;
    const Durations with(durations.begin(), durations.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    out.sustained += learned(with).sustained() ? 1 : 0;
  }
  return out;
}

TEST_CASE("of fewer than eight runs nothing is learned") {
  CHECK_FALSE(learned(Durations(7, 60)).typical());
  CHECK_FALSE(learned(Durations(7, 60)).limits());
  CHECK_FALSE(Expectation().typical());
  CHECK_FALSE(Expectation().sustained());
  REQUIRE(learned(Durations(8, 60)).limits());
  CHECK(learned(Durations(8, 60)).limits()->runs == 8);
}

TEST_CASE("only runs that succeeded teach") {
  Learner learner;
  for (std::uint32_t i = 0; i < 20; ++i) {
    learner.add(finished(started("job", 100 + i), seconds(1), State::kFailed));
    learner.add(started("job", 200 + i));
    if (i < 10) learner.add(took(60, i));
  }
  const auto typical = learner.finish().typical();
  CHECK(typical->runs == 10);
  CHECK(typical->low == 60);
}

TEST_CASE("the newest two hundred runs teach, in whatever order they come") {
  Learner forth;
  Learner back;
  for (std::uint32_t i = 0; i < 300; ++i) {
    forth.add(took(i < 100 ? 1000 : 50 + i % 7, i));
    back.add(took(299 - i < 100 ? 1000 : 50 + (299 - i) % 7, 299 - i));
  }
  const Expectation one = forth.finish();
  const Expectation other = back.finish();
  CHECK(one.typical()->runs == kLearnedRuns);
  CHECK(one.typical()->high < 60);
  CHECK(one.typical() == other.typical());
  CHECK(one.limits() == other.limits());
}

TEST_CASE("typical is the median, and what nine of ten runs take") {
  Durations durations;
  for (int i = 1; i <= 101; ++i) durations.push_back(i);
  const auto typical = learned(durations).typical();
  CHECK(typical->median == 51);
  CHECK(typical->low == Approx(6));
  CHECK(typical->high == Approx(96));
}

TEST_CASE("starts that are regular have a period, others have none") {
  CHECK(learned(Durations(20, 60)).typical()->period == 3600);
  CHECK(learned(Durations(20, 60)).typical()->period_scale == 0);
  // On weekdays: the weekends do not matter.
  Learner weekdays;
  for (std::uint32_t i = 0; i < 40; ++i)
    weekdays.add(finished(started("job", i, kStart + (i + i / 5 * 2) * 24 * kHour), seconds(60)));
  CHECK(weekdays.finish().typical()->period == 86'400);
  // At random: gaps by an exponential distribution.
  Learner random;
  Nanos at = kStart;
  std::uint32_t number = 0;
  for (const double z : noisy({{200, 1}}, 1, 5)) {
    at += seconds(3600 * -std::log(std::erfc(-std::log(z) / std::sqrt(2.0)) / 2));
    random.add(finished(started("job", ++number, at), seconds(60)));
  }
  CHECK_FALSE(random.finish().typical()->period);
}

TEST_CASE("of runs that all take the same the floors make the limits") {
  CHECK(too_long(Durations(50, 600)) == Approx(900));
  CHECK(too_short(Durations(50, 600)) == Approx(200));
  // Differences of less than five seconds never count.
  CHECK(too_long(Durations(50, 2)) == Approx(7));
  CHECK_FALSE(too_short(Durations(50, 2)));
  CHECK_FALSE(too_short(Durations(50, 0)));
  CHECK(too_long(Durations(50, 0)) == Approx(5));
}

TEST_CASE("a history full of outliers still has a limit near what is usual") {
  Durations durations = noisy({{200, 100}}, 0.1, 3);
  for (std::size_t i = 0; i < 200; i += 7) durations[i] = 10'000;  // 14 %
  CHECK(too_long(durations) < 200);
}

TEST_CASE("a history of two humps has its limit behind the second") {
  Durations durations = noisy({{200, 100}}, 0.02, 11);
  for (std::size_t i = 0; i < 200; i += 2) durations[i] *= 2;
  CHECK(too_long(durations) > 200);
  CHECK(too_long(durations) < 350);
  const Flags seen = flags(durations);
  CHECK(seen.too_long + seen.too_short + seen.sustained <= 2);
}

TEST_CASE("what the newest runs take twice is no outlier any more") {
  Durations durations = noisy({{100, 100}}, 0.05, 4);
  const double before = too_long(durations);
  durations.push_back(1000);
  CHECK(too_long(durations) == Approx(before).epsilon(0.05));
  durations.push_back(1000);
  CHECK(too_long(durations) > 1000);
}

TEST_CASE("noise is rarely flagged, whatever its spread, and three times as long is seen where it is unusual") {
  for (const double sigma : {0.02, 0.1, 0.3, 0.6, 1.0}) {
    std::size_t judged = 0;
    std::size_t flagged = 0;
    std::size_t shifts = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const Durations durations = noisy({{250, 300}}, sigma, seed);
      const Flags seen = flags(durations);
      judged += seen.judged;
      flagged += seen.too_long + seen.too_short;
      shifts += seen.sustained;
      if (sigma <= 0.3) CHECK(too_long(durations) < 3 * 300);
    }
    INFO("sigma " << sigma << ": " << flagged << " and " << shifts << " of " << judged);
    CHECK(flagged * 100 <= judged * 5);
    CHECK(shifts * 200 <= judged);
  }
}

TEST_CASE("limits scale as the durations do, but for the floor") {
  const Durations durations = noisy({{200, 1000}}, 0.4, 9);
  Durations tenfold;
  for (const double value : durations) tenfold.push_back(10 * value);
  CHECK(too_long(tenfold) == Approx(10 * too_long(durations)));
  CHECK(*too_short(tenfold) == Approx(10 * *too_short(durations)));
}

TEST_CASE("five runs in a row above what is usual are a shift, four are not") {
  Durations durations = noisy({{60, 100}, {64, 140}}, 0.03, 2);
  CHECK_FALSE(learned(durations).sustained());
  durations.push_back(141);
  const auto shift = learned(durations).sustained();
  REQUIRE(shift);
  CHECK(shift->median == Approx(140).epsilon(0.05));
  CHECK(shift->median_before == Approx(100).epsilon(0.05));
  CHECK(shift->limit == Approx(1.25 * shift->median_before));
  CHECK(shift->runs_before == 60);
  durations.back() = 100;
  CHECK_FALSE(learned(durations).sustained());
}

TEST_CASE("a shift of less than a quarter, or of less than five seconds, is none") {
  CHECK_FALSE(learned(noisy({{60, 100}, {70, 118}}, 0.01, 2)).sustained());
  CHECK_FALSE(learned(noisy({{60, 4}, {70, 8}}, 0.01, 2)).sustained());
}

// Rows between 100 and 10,000, some milliseconds each; and a counter that says nothing.
Expectation with_rows(double per_row, std::uint32_t runs = 100) {
  Learner learner;
  const Durations rows = noisy({{runs, 1000}}, 1.0, 21);
  const Durations noise = noisy({{runs, 1}}, 0.05, 22);
  for (std::uint32_t i = 0; i < runs; ++i) {
    Run run = took(rows[i] * per_row * noise[i], i);
    run.counters = {{"rows", rows[i]}, {"retries", 1 + i % 3}};
    learner.add(run);
  }
  return learner.finish();
}

TEST_CASE("where the work explains the duration, a run is judged by its work") {
  const Limits limits = *with_rows(0.5).limits();
  REQUIRE(limits.per);
  CHECK(limits.per->counter == "rows");
  CHECK(limits.per->median == Approx(0.5).epsilon(0.03));
  CHECK(limits.per->too_long == Approx(0.75).epsilon(0.05));
  const Nanos usual = *limits.too_long;
  // A run that has more to do may take longer, also while it runs; one that has less may not be late by that.
  CHECK(too_long_running(limits, {{"rows", 100'000}}) == Approx(seconds(75'000)).epsilon(0.05));
  CHECK(too_long_running(limits, {{"rows", 10}}) == usual);
  CHECK(too_long_running(limits, {}) == usual);
  CHECK(too_long_ended(limits, {{"rows", 400}}) == Approx(seconds(300)).epsilon(0.05));
  CHECK(too_long_ended(limits, {}) == usual);
  CHECK(*too_short_ended(limits, {{"rows", 400}}) < seconds(200));
  CHECK(*too_short_ended(limits, {{"rows", 400}}) > seconds(50));
  CHECK(too_short_ended(limits, {}) == limits.too_short);
  // Fewer than were ever seen count as so many.
  CHECK(too_long_ended(limits, {{"rows", 0.001}}) == too_long_ended(limits, {{"rows", limits.per->least}}));
}

TEST_CASE("a counter that does not explain the duration, or was not always there, judges nothing") {
  Learner steady;
  Learner sometimes;
  const Durations rows = noisy({{100, 1000}}, 1.0, 21);
  for (std::uint32_t i = 0; i < 100; ++i) {
    Run run = took(600 + i % 5, i);
    run.counters = {{"rows", rows[i]}};
    steady.add(run);
    run = took(rows[i], i);
    if (i % 2 == 0) run.counters = {{"rows", rows[i]}};
    sometimes.add(run);
  }
  CHECK_FALSE(steady.finish().limits()->per);
  CHECK_FALSE(sometimes.finish().limits()->per);
}

TEST_CASE("counters and durations of every size teach without harm") {
  Learner learner;
  for (std::uint32_t i = 0; i < 40; ++i) {
    Run run = took(i % 2 == 0 ? 0 : 1e9, i);
    run.duration = i % 2 == 0 ? 0 : kNanosEnd - 1;
    run.counters = {{"a", i % 3 == 0 ? 1e-300 : 1e300}, {"b", -1.0}, {"c", 0.0}};
    learner.add(run);
  }
  const Limits limits = *learner.finish().limits();
  CHECK(*limits.too_long > 0);
  CHECK(*limits.too_long <= kNanosEnd);
  for (const Counters& counters : {Counters{{"a", 1e300}}, Counters{{"a", 5e-324}}, Counters{{"a", -1}}}) {
    CHECK(too_long_running(limits, counters) <= kNanosEnd);
    CHECK(too_long_ended(limits, counters) >= 0);
  }
}

TEST_CASE("a quantile between two values is in proportion") {
  CHECK(between_quantile({5}, 0.95) == 5);
  CHECK(between_quantile({0, 10}, 0.25) == 2.5);
  CHECK(between_quantile({0, 10, 20}, 0) == 0);
  CHECK(between_quantile({0, 10, 20}, 1) == 20);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
