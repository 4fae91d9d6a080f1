#include "aggregator/stats/rollup.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/aggregator/stats/random_runs.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::seconds;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<State> kEnds = {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed};

Series series(std::string_view text) { return series_named(text).value(); }

std::vector<Series> all_series() {
  std::vector<Series> all;
  for (const char* text : {"duration", "start_delay", "cpu", "max_rss_bytes", "counter:records", "seconds_per:records",
                           "step:load/parse"}) {
    all.push_back(series(text));
  }
  return all;
}

Run took(std::uint32_t number, Nanos duration, Nanos at = kStart) {
  return fakes::finished(fakes::started("job", number, at), duration);
}

Rollup of(const std::vector<Run>& runs, const Series& which) {
  Rollup rollup;
  for (const Run& run : runs) rollup.add(run, which);
  return rollup;
}

Point time_of(std::uint32_t number, std::uint64_t nanos) { return {{nanos, 0, false}, id_of(number), kStart + number}; }

Distribution of_times(const std::vector<std::uint64_t>& nanos) {
  Distribution values;
  for (std::size_t i = 0; i < nanos.size(); ++i) values.add(time_of(static_cast<std::uint32_t>(i), nanos[i]));
  return values;
}

Stats stats_of(const Distribution& values) {
  Rollup rollup;
  rollup.of(State::kSucceeded).values = values;
  return stats_of(rollup, {State::kSucceeded});
}

// Equal but for numbers, which round.
void require_alike(const Distribution& a, const Distribution& b, double size) {
  REQUIRE(a.count == b.count);
  REQUIRE(a.times == b.times);
  REQUIRE(a.low == b.low);
  REQUIRE(a.high == b.high);
  REQUIRE(a.sketch == b.sketch);
  REQUIRE(std::abs(a.numbers.mean - b.numbers.mean) <= 1e-9 * size);
  REQUIRE(std::abs(a.numbers.deviations - b.numbers.deviations) <=
          1e-9 * size * size * static_cast<double>(a.count + 1));
}

TEST_CASE("a rollup of nothing is empty and knows nothing") {
  const Rollup rollup;
  REQUIRE(rollup.empty());
  const Stats stats = stats_of(rollup, kEnds);
  REQUIRE(stats.count == 0);
  REQUIRE_FALSE(stats.mean);
  REQUIRE_FALSE(stats.high);
  REQUIRE_FALSE(stats.success_rate);
  REQUIRE(stats.quantile_error == 0);
}

TEST_CASE("runs that have not ended are passed over") {
  Rollup rollup;
  rollup.add(fakes::started("job", 1), series("duration"));
  REQUIRE(rollup.empty());
}

TEST_CASE("a run without a value in the series counts, and adds no value") {
  const Rollup rollup = of({took(1, seconds(5))}, series("counter:records"));
  REQUIRE(rollup.of(State::kSucceeded).runs == 1);
  REQUIRE(rollup.of(State::kSucceeded).values.count == 0);
  REQUIRE_FALSE(rollup.empty());
}

TEST_CASE("counting and measuring are apart") {
  Rollup measured;
  measured.measure(took(1, seconds(5)), series("duration"));
  REQUIRE(measured.of(State::kSucceeded).runs == 0);
  REQUIRE(measured.of(State::kSucceeded).values.count == 1);
  Rollup counted;
  counted.count(took(1, seconds(5)));
  REQUIRE(counted.of(State::kSucceeded).runs == 1);
  REQUIRE(counted.of(State::kSucceeded).values.count == 0);
  counted.merge(measured);
  REQUIRE(counted == of({took(1, seconds(5))}, series("duration")));
}

TEST_CASE("of equal values the earliest run is the low and the high, then the smaller id") {
  std::vector<Run> runs = {took(3, seconds(5), kStart), took(2, seconds(5), kStart), took(1, seconds(5), kStart + 1)};
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.id < b.id; });
  do {
    const Distribution values = of(runs, series("duration")).of(State::kSucceeded).values;
    REQUIRE(values.low.run_id == id_of(2));
    REQUIRE(values.high.run_id == id_of(2));
  } while (std::next_permutation(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.id < b.id; }));
}

TEST_CASE("rollups of times merge to the same in any order and grouping") {
  const std::uint64_t seed = 3;
  INFO("seed " << seed);
  std::vector<Run> runs = fakes::random_runs(seed, 300);
  std::mt19937_64 random(seed);
  for (const char* text : {"duration", "start_delay", "cpu", "step:load/parse"}) {
    const Rollup whole = of(runs, series(text));
    for (int shuffle = 0; shuffle < 10; ++shuffle) {
      std::shuffle(runs.begin(), runs.end(), random);
      std::vector<Rollup> parts(1 + random() % 9U);
      for (const Run& run : runs) parts[random() % parts.size()].add(run, series(text));
      Rollup sum;
      for (const Rollup& part : parts) sum.merge(part);
      REQUIRE(sum == whole);
    }
  }
}

TEST_CASE("rollups of numbers merge in any order to the same but for the rounding of mean and deviations") {
  std::vector<Run> runs = fakes::random_runs(5, 300);
  std::mt19937_64 random(5);
  for (const char* text : {"max_rss_bytes", "counter:records", "seconds_per:records"}) {
    const Rollup whole = of(runs, series(text));
    for (int shuffle = 0; shuffle < 10; ++shuffle) {
      std::shuffle(runs.begin(), runs.end(), random);
      std::vector<Rollup> parts(1 + random() % 9U);
      for (const Run& run : runs) parts[random() % parts.size()].add(run, series(text));
      Rollup sum;
      for (const Rollup& part : parts) sum.merge(part);
      for (const State state : kEnds) {
        const Distribution& values = whole.of(state).values;
        REQUIRE(sum.of(state).runs == whole.of(state).runs);
        require_alike(sum.of(state).values, values, values.high.amount.number);
      }
    }
  }
}

TEST_CASE("what is added and taken out again was never there") {
  const std::uint64_t seed = 7;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const std::vector<Run> runs = fakes::random_runs(seed, 400);
  for (const Series& which : all_series()) {
    Distribution kept, values;
    std::vector<Point> passing;
    for (const Run& run : runs) {
      const auto amount = amount_of(run, which.measure, which.step);
      if (!amount) continue;
      const Point point{*amount, run.id, run.started_at};
      values.add(point);
      if (random() % 2U == 0)
        passing.push_back(point);
      else
        kept.add(point);
    }
    std::shuffle(passing.begin(), passing.end(), random);
    bool extremes_left = true;
    for (const Point& point : passing) extremes_left = values.remove(point) && extremes_left;
    INFO(text_of(which));
    REQUIRE(extremes_left == (kept.low == values.low && kept.high == values.high));
    values.low = kept.low;
    values.high = kept.high;
    require_alike(values, kept, std::max(1e-9, kept.high.amount.number));
  }
}

TEST_CASE("taking out the low or the high says so, taking out the last leaves nothing") {
  const Point low = time_of(1, 10), middle = time_of(2, 20), high = time_of(3, 30);
  Distribution values;
  for (const Point& point : {middle, high, low}) values.add(point);
  Distribution without = values;
  REQUIRE_FALSE(without.remove(low));
  REQUIRE(without.low == low);  // stays until it is found anew
  without = values;
  REQUIRE_FALSE(without.remove(high));
  REQUIRE(values.remove(middle));
  REQUIRE(values.low == low);
  REQUIRE_FALSE(values.remove(high));
  REQUIRE(values.remove(low));
  REQUIRE(values == Distribution{});
}

TEST_CASE("taking out one of two equal extremes says whether it was the one that is shown") {
  Distribution values;
  values.add(time_of(1, 10));
  values.add(time_of(2, 10));
  values.add(time_of(3, 5));
  REQUIRE(values.remove(time_of(2, 10)));
  REQUIRE_FALSE(values.remove(time_of(1, 10)));
}

TEST_CASE("low and high are found anew among the runs that are left") {
  const std::uint64_t seed = 19;
  INFO("seed " << seed);
  const std::vector<Run> runs = fakes::random_runs(seed, 60);
  for (const Series& which : all_series()) {
    INFO(text_of(which));
    Distribution values;
    std::vector<Point> left;
    for (const Run& run : runs) {
      const auto amount = amount_of(run, which.measure, which.step);
      if (amount) left.push_back({*amount, run.id, run.started_at});
    }
    for (const Point& point : left) values.add(point);
    std::sort(left.begin(), left.end(), [](const Point& a, const Point& b) { return a.amount < b.amount; });
    while (left.size() > 2) {
      const Point gone = left.size() % 2 == 0 ? left.front() : left.back();
      left.erase(std::find(left.begin(), left.end(), gone));
      if (!values.remove(gone)) values.find_extremes(left);
      Distribution anew;
      for (const Point& point : left) anew.add(point);
      REQUIRE(values.low == anew.low);
      REQUIRE(values.high == anew.high);
    }
  }
}

TEST_CASE("where the runs of the extremes are gone, low and high are near them and of no run") {
  for (const std::uint64_t shortest : {std::uint64_t{1}, std::uint64_t{1'000'000}, kMax / 4}) {
    Distribution values = of_times({shortest, 2 * shortest, kMax});
    values.find_extremes({time_of(1, 2 * shortest)});
    REQUIRE(values.low.run_id.none());
    REQUIRE(values.high.run_id.none());
    REQUIRE(value_of(values.low.amount) == Approx(static_cast<double>(shortest) / 1e9).epsilon(Sketch::kRelativeError));
    REQUIRE(value_of(values.high.amount) == Approx(0x1p64 / 1e9).epsilon(Sketch::kRelativeError));
  }
  Distribution ratios;
  for (std::uint32_t i = 1; i < 4; ++i) ratios.add({{0, 1e-9 * i, true}, id_of(i), kStart});
  ratios.find_extremes({});
  REQUIRE(ratios.low.amount.ratio);
  REQUIRE(ratios.low.amount.number == Approx(1e-9).epsilon(Sketch::kRelativeError));
  REQUIRE(ratios.high.amount.number == Approx(3e-9).epsilon(Sketch::kRelativeError));
}

TEST_CASE("the squares of the longest times carry into their third word and back") {
  TimeSums sums;
  for (int i = 0; i < 5; ++i) sums.add(kMax);
  // 5 (2^64 - 1)^2 = 5 2^128 - 10 2^64 + 5
  REQUIRE(sums.squares_high == 4);
  REQUIRE(static_cast<std::uint64_t>(sums.squares >> 64U) == kMax - 9);
  REQUIRE(static_cast<std::uint64_t>(sums.squares) == 5);
  REQUIRE(static_cast<std::uint64_t>(sums.sum >> 64U) == 4);
  REQUIRE(static_cast<std::uint64_t>(sums.sum) == kMax - 4);
  TimeSums twice = sums;
  twice.merge(sums);
  for (int i = 0; i < 5; ++i) sums.add(kMax);
  REQUIRE(twice == sums);
  for (int i = 0; i < 10; ++i) sums.remove(kMax);
  REQUIRE(sums == TimeSums{});
}

TEST_CASE("equal times have that time as their mean and no deviation, however long they are") {
  for (const std::uint64_t nanos :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{61'234'567'891}, kMax / 2, kMax}) {
    const Stats stats = stats_of(of_times(std::vector<std::uint64_t>(7, nanos)));
    INFO(nanos);
    REQUIRE(stats.mean == value_of(Amount{nanos, 0, false}));
    REQUIRE(stats.stddev == 0.0);
    REQUIRE(stats.median == stats.mean);
  }
}

TEST_CASE("the deviation of long times that differ by nanoseconds is exact") {
  const std::vector<std::uint64_t> apart = {0, 1, 2, 3, 4, 5, 900, 77, 5, 5};
  long double sum = 0, squares = 0;
  for (const std::uint64_t each : apart) sum += static_cast<long double>(each);
  const long double mean = sum / static_cast<long double>(apart.size());
  for (const std::uint64_t each : apart)
    squares += (static_cast<long double>(each) - mean) * (static_cast<long double>(each) - mean);
  const auto expected = static_cast<double>(std::sqrt(squares / static_cast<long double>(apart.size())) / 1e9L);
  for (const std::uint64_t base : {std::uint64_t{0}, std::uint64_t{9'000'000'000'000'000'000}, kMax - 900}) {
    std::vector<std::uint64_t> nanos = apart;
    for (std::uint64_t& each : nanos) each += base;
    INFO("from " << base);
    REQUIRE(stats_of(of_times(nanos)).stddev.value() == Approx(expected).epsilon(1e-14));
  }
}

TEST_CASE("the deviation of the shortest and the longest time is half their distance") {
  const Stats stats = stats_of(of_times({0, kMax}));
  REQUIRE(stats.stddev.value() == Approx(0x1p63 / 1e9).epsilon(1e-12));
  REQUIRE(stats.mean.value() == Approx(0x1p63 / 1e9).epsilon(1e-12));
}

TEST_CASE("answers from a rollup are those from single runs") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Run> runs = fakes::random_runs(seed, 1 + seed * seed);
    for (const Series& which : all_series()) {
      for (const std::vector<State>& outcomes : {kEnds, {State::kSucceeded}, {State::kFailed, State::kCrashed}, {}}) {
        INFO("seed " << seed << ", " << text_of(which) << ", " << outcomes.size() << " outcomes");
        Accumulator exact(which.measure, which.step, outcomes, kGraceDefault);
        for (const Run& run : runs) exact.add(run);
        const Stats expected = exact.finish();
        const Stats stats = stats_of(of(runs, which), outcomes);
        REQUIRE(stats.count == expected.count);
        REQUIRE(stats.succeeded == expected.succeeded);
        REQUIRE(stats.failed == expected.failed);
        REQUIRE(stats.canceled == expected.canceled);
        REQUIRE(stats.crashed == expected.crashed);
        REQUIRE(stats.late == expected.late);
        REQUIRE(stats.success_rate == expected.success_rate);
        REQUIRE(stats.min == expected.min);
        REQUIRE(stats.max == expected.max);
        if (stats.count == 0) continue;
        REQUIRE(stats.high->run_id == expected.high->run_id);
        REQUIRE(stats.high->at == expected.high->at);
        REQUIRE(stats.low->run_id == expected.low->run_id);
        REQUIRE(stats.low->at == expected.low->at);
        const bool time =
            stats.high->value == 0 || amount_of(runs[0], which.measure, which.step).value_or(Amount{}).number == 0;
        REQUIRE(stats.mean.value() == Approx(*expected.mean).epsilon(time ? 1e-15 : 1e-12));
        REQUIRE(stats.stddev.value() == Approx(*expected.stddev).epsilon(1e-9));
        for (const auto part : {&Stats::median, &Stats::p90, &Stats::p95, &Stats::p99}) {
          REQUIRE(std::abs(*(stats.*part) - *(expected.*part)) <= stats.quantile_error * *(expected.*part));
        }
      }
    }
  }
}

TEST_CASE("the mean of times is the very one of single runs") {
  const std::vector<Run> runs = fakes::random_runs(11, 1000);
  for (const char* text : {"duration", "start_delay", "cpu", "step:load/parse"}) {
    const Series which = series(text);
    Accumulator exact(which.measure, which.step, kEnds, kGraceDefault);
    for (const Run& run : runs) exact.add(run);
    INFO(text);
    const double mean = stats_of(of(runs, which), kEnds).mean.value();
    const double expected = exact.finish().mean.value();
    REQUIRE(std::abs(mean - expected) <= std::nextafter(expected, kInfinity) - expected);
  }
}

TEST_CASE("a series comes back from its text") {
  for (const char* text : {"duration", "start_delay", "cpu", "max_rss_bytes", "counter:a", "counter:a:b",
                           "seconds_per:x", "step:load", "step:load/parse", "step:step:", "step:duration"}) {
    const auto named = series_named(text);
    REQUIRE(named);
    REQUIRE(text_of(*named) == text);
    REQUIRE(named->durations() == (std::string_view(text) == "duration"));
  }
  for (const char* text : {"", "step:", "step", "Duration", "counter:", "seconds_per:", "duration ", "durations"}) {
    REQUIRE_FALSE(series_named(text));
  }
}

TEST_CASE("a run has the series that it has values in, durations first, each once") {
  for (const Run& run : fakes::random_runs(13, 200)) {
    const std::vector<Series> all = series_of(run);
    std::vector<std::string> texts;
    for (const Series& each : all) {
      REQUIRE(amount_of(run, each.measure, each.step));
      REQUIRE(series_named(text_of(each)) == each);
      texts.push_back(text_of(each));
    }
    REQUIRE(texts.front() == "duration");
    std::sort(texts.begin(), texts.end());
    REQUIRE(std::unique(texts.begin(), texts.end()) == texts.end());
    for (const Series& each : all_series()) {
      const bool has = amount_of(run, each.measure, each.step).has_value();
      REQUIRE(has == (std::find(all.begin(), all.end(), each) != all.end()));
    }
  }
}

TEST_CASE("an hour and a day begin at or before the instant, before 1970 too") {
  for (const Nanos at : {Nanos{0}, Nanos{1}, kHour - 1, kHour, kDay - 1, kDay, kStart, -kNanosEnd, kNanosEnd}) {
    for (const auto& [resolution, length] : {std::pair{Resolution::kHour, kHour}, std::pair{Resolution::kDay, kDay}}) {
      for (const Nanos instant : {at, -at}) {
        const Nanos start = start_of(instant, resolution);
        REQUIRE(start <= instant);
        REQUIRE(instant - start < length);
        REQUIRE(start % length == 0);
        REQUIRE(start_of(start, resolution) == start);
      }
    }
    REQUIRE(start_of(at, Resolution::kAll) == 0);
  }
  REQUIRE(start_of(-1, Resolution::kHour) == -kHour);
  REQUIRE(start_of(-kHour, Resolution::kHour) == -kHour);
  REQUIRE(start_of(-1, Resolution::kDay) == -kDay);
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
