// What the runs of a job usually take, learned from those that succeeded, and how far from it a run must be to be worth
// a word. Whoever asks makes a Learner, adds the newest runs, and takes an Expectation, which knows what is typical
// (for readers), the limits (for the rules that watch) and, by eta.h, when a run will end.
//
// Durations are judged by their logarithms: they are skewed, and twice as long is as far off as half as long. Centre
// and scale are the median and the MAD, which half of the runs may spoil without harm (F. R. Hampel, "The influence
// curve and its role in robust estimation", Journal of the American Statistical Association 69 (1974), 383-393; P. J.
// Rousseeuw, C. Croux, "Alternatives to the median absolute deviation", same journal 88 (1993), 1273-1283, which also
// has the factor 1.4826 that makes it the deviation of a normal distribution).
//
// THE RULE OF A SINGLE RUN. Too long is what lies far out by either of two measures above the median: kFarOut scales,
// or kBeyond times as far as the 95 % quantile (by logarithms). The first holds where a history is full of outliers,
// the second where it has several humps, of which the MAD makes a scale that no run would ever leave. If two of the
// newest kRecent runs took longer, the limit is beyond them: that is no outlier any more, but a matter for the rule
// below. Too short must be far out by the first measure, and kBeyond times as far as all runs but the shortest: there is
// no hurry, and jobs that now and then have nothing to do are many.
// Whatever the scale, at least half as long again, or less than a third, and kLearnedFloor off.
//
// THE SUSTAINED RULE. Smaller shifts count if they stay: kInARow runs in a row, each above the 95 % quantile of those
// before and at least a quarter longer than their median, and kLearnedFloor.
//
// Pure: no I/O, no clock, and the order of adding decides nothing. One thread at a time while it is made, then any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::stats {

inline constexpr std::size_t kLearnedRuns = 200;             // the newest that are learned from
inline constexpr std::size_t kLearnedMin = 8;                // of fewer nothing is learned
inline constexpr Nanos kLearnedFloor = 5 * kNanosPerSecond;  // smaller differences never count
inline constexpr double kNormalScale = 1.4826;               // of a MAD
inline constexpr double kFarOut = 5, kBeyond = 1.15;         // see above
inline constexpr double kLongRatio = 1.5, kShortRatio = 1 / 3.0;
inline constexpr std::size_t kRecent = 5;
inline constexpr std::size_t kInARow = 5;
inline constexpr double kSustainedRatio = 1.25;

using Counters = std::map<std::string, double, std::less<>>;

// For readers. Seconds.
struct Typical {
  double median = 0;
  double low = 0, high = 0;      // 5 % and 95 % quantiles
  std::optional<double> period;  // median from start to start, where starts are regular
  double period_scale = 0;       // 1.4826 MAD of it
  std::uint64_t runs = 0;        // learned from
  bool operator==(const Typical&) const = default;
};

// Seconds for one of what a counter counts, where that says more than the durations themselves.
struct Rate {
  std::string counter;
  double median = 0;
  double too_long = 0, too_short = 0;
  double least = 0;  // the smallest count that was seen: fewer are judged as so many
  bool operator==(const Rate&) const = default;
};

// What the rules that watch a job go by.
struct Limits {
  std::optional<Nanos> too_long{};   // a run that takes longer is slower than usual: known while it runs
  std::optional<Nanos> too_short{};  // one that succeeds sooner is too short; absent: none can be
  Nanos typical = 0;                 // the median, for the sentence
  std::uint64_t runs = 0;            // of how many runs, likewise
  std::optional<Rate> per{};         // where the work that a run reports explains its duration
  bool operator==(const Limits&) const = default;
};
// The limit of a run that has counted so much by now: later than `too_long` where there is more to do than usual.
// As counters only rise, so does this limit.
Nanos too_long_running(const Limits& limits, const Counters& counters);
// Those of a run that has ended with these counters: by its work, where that is known.
Nanos too_long_ended(const Limits& limits, const Counters& counters);
std::optional<Nanos> too_short_ended(const Limits& limits, const Counters& counters);

// The newest kInARow runs took longer, one and all.
struct Sustained {
  double median = 0;  // of them; seconds, as the next
  double median_before = 0;
  double limit = 0;  // each of them took longer than this
  std::uint64_t runs_before = 0;
  bool operator==(const Sustained&) const = default;
};

// Of the runs that a Learner was given.
class Expectation {
 public:
  Expectation() = default;

  // nullopt of fewer than kLearnedMin runs.
  std::optional<Typical> typical() const;
  std::optional<Limits> limits() const;
  // nullopt also where the newest are not slower than the others, of which there must be kLearnedMin.
  std::optional<Sustained> sustained() const;

  // Seconds, in rising order.
  const std::vector<double>& durations() const { return sorted_; }

 private:
  friend class Learner;
  struct Past {
    Nanos started_at;
    Uuid id;
    double seconds;
    Counters counters;
  };
  struct Work {
    std::vector<double> seconds, rates;  // of each run that counted: its duration, and its seconds for one
    double least = 0;
  };
  explicit Expectation(std::vector<Past> runs);  // in order of their starts
  // Of all counters the one whose seconds for one are spread least, if that is far less than the durations are. That a
  // counter rises with the duration is not enough: the limit is to be in proportion to it.
  std::optional<Rate> rate() const;
  Work work_by(const std::string& counter) const;

  std::vector<Past> runs_;
  std::vector<double> sorted_;
};

class Learner {
 public:
  // Passed over unless it succeeded and it is known how long it took.
  void add(const Run& run);
  // From the newest kLearnedRuns by their starts. Once, at the end.
  Expectation finish();

 private:
  std::vector<Expectation::Past> runs_;
};

// Of values in rising order, between neighbours in proportion: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical
// packages", The American Statistician 50 (1996), 361-365, definition 7. Requires one; 0 <= q <= 1.
double between_quantile(const std::vector<double>& sorted, double q);

}  // namespace kleptometrics::aggregator::stats
