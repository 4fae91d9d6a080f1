// Statistics of a set of runs: exact, from single values. Pure: no I/O, no clock; what it is given decides
// what it answers, and the order in which it is given decides nothing. The query room makes an Accumulator
// for each question, adds the runs of the question and takes the Stats; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::stats {

// What is measured of a run: `duration`, `start_delay` (early counts as 0), `cpu` (user + system), all in
// seconds; `max_rss_bytes`; `counter:NAME`; `seconds_per:NAME` (duration divided by that counter, where it is
// > 0).
struct Measure {
  enum class Kind { kDuration, kStartDelay, kCpu, kMaxRssBytes, kCounter, kSecondsPer };
  Kind kind = Kind::kDuration;
  std::string counter;  // NAME of the last two
  // nullopt for anything but the spellings above; NAME is at least one byte and may hold colons.
  static std::optional<Measure> parse(std::string_view text);
  bool operator==(const Measure&) const = default;
};
std::string text_of(const Measure& measure);
// True of measures whose values are times.
bool is_time(Measure::Kind kind);

// The value of the run's own measure, or with `step` set (a path) of that step: duration only, the step's
// total. nullopt where it is unknown: the run never said, the step never ended once, the ratio is no finite
// number. The duration of a run that gives none is the difference of its wall clocks, at least 0. Of cpu, one
// of user and system is enough.
std::optional<double> value_of(const Run& run, const Measure& measure, std::string_view step);

// A start delay up to this is on time, until jobs have specifications.
inline constexpr Nanos kGraceDefault = 60 * kNanosPerSecond;
// True if the run started more than `grace` after it was scheduled.
bool late(const Run& run, Nanos grace);

// One measured value: nanoseconds of a time, or a number of anything else. The two never meet in one measure.
struct Amount {
  std::uint64_t nanos = 0;
  double number = 0;   // finite
  bool ratio = false;  // the number is seconds per something, and may be far below one
  bool operator==(const Amount&) const = default;
  bool operator<(const Amount& other) const {
    return nanos != other.nanos ? nanos < other.nanos : number < other.number;
  }
};
// nullopt where value_of() has none.
std::optional<Amount> amount_of(const Run& run, const Measure& measure, std::string_view step);
// In the unit of answers: seconds of times.
double value_of(const Amount& amount);

struct Extreme {
  double value = 0;
  Uuid run_id;
  Nanos at = 0;  // started_at of the run
};

// Of an answer that is not of exactly the runs asked about, since single runs have expired: which it is about.
struct Rounded {
  bool approximate = false;
  std::optional<Nanos> since, until;  // what is counted, rounded outward; absent: unbounded
};

struct Stats {
  std::uint64_t count = 0;  // values measured; all below are absent while it is 0
  std::optional<double> min, max, mean, stddev, median, p90, p95, p99;
  std::optional<Extreme> high, low;  // of equal values the earliest run, then the smaller id
  // Of all runs asked about, whatever their outcome.
  std::uint64_t succeeded = 0, failed = 0, canceled = 0, crashed = 0;
  std::uint64_t late = 0;              // start delay beyond the grace
  std::uint64_t overrun = 0;           // ran longer than allowed; counted by stats of a job alone, of all its runs
  std::uint64_t missed = 0;            // never started; likewise
  std::optional<double> success_rate;  // succeeded / (succeeded + failed + crashed)
  double quantile_error = 0;           // guaranteed relative error of the quantiles; 0: exact
  Rounded rounded;
};

// succeeded / (succeeded + failed + crashed); nullopt where there are none.
std::optional<double> success_rate_of(const Stats& stats);

// The value at rank ceil(n / 2) of those in order, as in Stats. Requires one.
double median_of(std::vector<double> values);

// What statistics are about, as asked for; empty `step`: whole runs. Answers repeat it. Borrows.
struct Subject {
  std::string_view job, measure, step;
};

// Adds runs one by one; runs that have not ended are passed over (DESIGN.md: a run enters the statistics when
// it becomes terminal). Quantile q is the value at rank ceil(q n) of the n values in order; stddev is that of
// the population; the mean of times is exact integer nanoseconds summed in 128 bits. Keeps 32 bytes a value.
class Accumulator {
 public:
  // `outcomes`: whose values are measured. Late is a start delay above `grace`.
  Accumulator(Measure measure, std::string step, std::vector<State> outcomes, Nanos grace);
  void add(const Run& run);
  Stats finish();  // once, at the end

 private:
  __extension__ using Sum = __int128;
  struct Value {
    double value;
    Uuid run_id;
    Nanos at;
  };
  void count(const Run& run);
  double mean() const;  // of values_, sorted and not empty

  Measure measure_;
  std::string step_;
  std::vector<State> outcomes_;
  Nanos grace_;
  std::vector<Value> values_;
  Sum nanos_ = 0;  // of the values that are times
  Stats stats_;
};

}  // namespace kleptometrics::aggregator::stats
