// Many runs added up: what is kept of all history, and of each hour and day of it, in a few hundred bytes however many
// the runs were. Rollups are sums: added in any order, merged in any grouping, they are the same to the last bit (but
// for numbers that are no times, see Moments), and a run can be taken out again. The store keeps them, the query room
// merges them into answers.
//
// Pure: no I/O, no clock. One thread at a time, or readers only.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/stats/stats.h"
#include "lib/sketch/sketch.h"

namespace kleptometrics::aggregator::stats {

// What a rollup adds up: a measure of whole runs, or with `step` set (a path) the time a run spent in that step.
struct Series {
  Measure measure;
  std::string step;
  bool operator==(const Series&) const = default;
  bool durations() const { return measure.kind == Measure::Kind::kDuration && step.empty(); }
};
// All series that a run has a value in, durations first.
std::vector<Series> series_of(const Run& run);
// One text a series, for keys of stores: the measure as the API spells it, or `step:PATH`. The way back answers nullopt
// for any other text.
std::string text_of(const Series& series);
std::optional<Series> series_named(std::string_view text);

// A value and the run that set it.
struct Point {
  Amount amount;
  Uuid run_id;
  Nanos at = 0;  // started_at of the run
  bool operator==(const Point&) const = default;
};

// Exact sums of times: of nanoseconds and of their squares, wide enough for 2^64 values.
struct TimeSums {
  __extension__ using Wide = unsigned __int128;
  Wide sum = 0;
  Wide squares = 0;                // the lower 128 bits
  std::uint64_t squares_high = 0;  // those above
  void add(std::uint64_t nanos);
  void remove(std::uint64_t nanos);
  void merge(const TimeSums& other);
  bool operator==(const TimeSums&) const = default;
};

// Mean and squared deviations of numbers in doubles, which round: merged in another order they differ by parts in 1e9.
// T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
// Stanford STAN-CS-79-773, 1979.
struct Moments {
  double mean = 0;
  double deviations = 0;  // sum of (value - mean)^2, held at the greatest number there is
  // `count`: of the values that are in already.
  void add(double number, std::uint64_t count);
  void remove(double number, std::uint64_t count);
  void merge(std::uint64_t count, const Moments& other, std::uint64_t other_count);
  bool operator==(const Moments&) const = default;
};

// The values of one series, of some runs.
struct Distribution {
  std::uint64_t count = 0;
  TimeSums times;   // of times; else 0
  Moments numbers;  // of numbers; else 0
  // Of equal values the earliest run's, then that of the smaller id. Meaningless while count is 0.
  Point low, high;
  // Nanoseconds of times; numbers above 0 by bucket_of_number(), others as 0.
  Sketch sketch;

  void add(const Point& point);
  void merge(const Distribution& other);
  // Takes out what was added before. Where it was the low or the high that stays as it is, and the answer is false: it
  // is to be found anew among the runs that are left.
  bool remove(const Point& point);
  // Finds low and high anew among the values of `points`, all that are known one by one. Where the sketch holds values
  // beyond those, it is the middle of the last bucket, of no run: run_id none.
  void find_extremes(const std::vector<Point>& points);
  bool operator==(const Distribution&) const = default;
};
// Numbers are sketched in units of 2^-16, for what is counted or measured in bytes, and ratios in units of 2^-40, for
// seconds that one of many took: that is up to 2^48, or 2^24 seconds, at the error of a sketch.
inline constexpr int kNumberUnitBits = 16;
inline constexpr int kRatioUnitBits = 40;
// The bucket of a number above 0: as Sketch::bucket_of of it in units of 2^-unit_bits, without rounding first. Beyond
// what a sketch holds (64 bits of such units; less than one): its first or last bucket.
int bucket_of_number(double number, int unit_bits);

// The runs of a job that started within some time, by how they ended.
struct Rollup {
  struct Outcome {
    std::uint64_t runs = 0;  // ended so
    std::uint64_t late = 0;  // of those, started later than the grace after their schedule
    Distribution values;
    bool operator==(const Outcome&) const = default;
  };
  std::array<Outcome, 4> outcomes;  // by outcome_at

  // Of a state that is terminal.
  static std::size_t outcome_at(State state) { return static_cast<std::size_t>(state) - 2; }
  Outcome& of(State state) { return outcomes[outcome_at(state)]; }
  const Outcome& of(State state) const { return outcomes[outcome_at(state)]; }

  // Count the run, and its value in the series, each by itself: of all the series of a bucket only that of durations
  // counts runs. Runs that have not ended are passed over.
  void count(const Run& run);
  void measure(const Run& run, const Series& series);
  void add(const Run& run, const Series& series) {
    count(run);
    measure(run, series);
  }
  void merge(const Rollup& other);
  // Of all outcomes.
  std::uint64_t late() const;
  bool empty() const { return *this == Rollup{}; }
  bool operator==(const Rollup&) const = default;
};

// The answer that a rollup holds, of the values of `outcomes`. Count, min, max, mean are exact, stddev to rounding; a
// quantile is off by at most `quantile_error`, relative to itself: what the sketch promises, or 1 where numbers are
// beyond what it holds (negative, say).
Stats stats_of(const Rollup& rollup, const std::vector<State>& outcomes);

// How long a time one rollup is about.
enum class Resolution { kHour, kDay, kAll };
inline constexpr Nanos kHour = 3600 * kNanosPerSecond;
inline constexpr Nanos kDay = 24 * kHour;
// Hours are kept of durations alone.
inline bool kept_by(Resolution resolution, const Series& series) {
  return resolution != Resolution::kHour || series.durations();
}
// Start of the hour or day (UTC) that holds the instant; 0 for all time.
Nanos start_of(Nanos at, Resolution resolution);

}  // namespace kleptometrics::aggregator::stats
