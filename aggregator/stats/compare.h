// Two sets of runs against each other: a window, in question, and a baseline, known. Is it slower, by how much, is that
// more than chance, and which step is it? Pure: no I/O, no clock, and the order in which runs are added decides
// nothing. The query room makes a Comparer for each question; one thread at a time.
//
// Chance is judged by the Mann-Whitney U test (ranks.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/stats/ranks.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// Measured values that each side needs for a verdict.
inline constexpr std::size_t kSampleMin = 5;
// A verdict other than `unchanged` needs a p-value below this, and a median that differs by at least this part of the
// baseline's.
inline constexpr double kSignificance = 0.01;
inline constexpr double kChangeMin = 0.05;

enum class Verdict { kSlower, kFaster, kUnchanged, kInsufficientData };
// `slower` and so on, as the API spells them.
std::string_view name_of(Verdict verdict);

// The window against the baseline, in the whole or in one step.
struct Difference {
  std::string step;  // empty: the whole
  Stats window, baseline;
  std::optional<double> median_ratio, p95_ratio;  // window / baseline; absent where the latter is not above 0
  std::optional<double> probability_slower, p_value, effect_size;  // see RankTest
  // What lies between the two (hodges_lehmann), in the unit of the values; absent where single values were not at hand.
  std::optional<double> shift;
  Verdict verdict = Verdict::kInsufficientData;
  std::string explanation;  // a sentence with its arithmetic
};
// Everything of it that follows from its sides and what was found in their values.
Difference difference_between(std::string step, Stats window, Stats baseline, const std::optional<RankTest>& test,
                              std::optional<double> shift, const Measure& measure);

// Seconds for one of what a counter counts, on both sides, and how much there was to count.
struct PerCounter {
  std::string counter;
  std::optional<double> window_median, baseline_median;  // of seconds_per:COUNTER
  std::optional<double> ratio;                           // of these two
  std::optional<double> p_value;
  Verdict verdict = Verdict::kInsufficientData;
  std::optional<double> counter_ratio;  // of the medians of the counter itself
};
// How many of the values a median is of, and the median.
struct Middle {
  std::uint64_t count = 0;
  std::optional<double> median;
};
PerCounter per_counter(std::string counter, const Middle& window, const Middle& baseline,
                       const std::optional<RankTest>& test, std::optional<double> counter_ratio);

struct Comparison {
  Difference total;
  // Steps of runs on either side, where the durations of whole runs are compared: those with the largest difference of
  // time a run first.
  std::vector<Difference> steps;
  // Where the durations have changed because there was more or less to do: the counter by which they have not.
  std::optional<PerCounter> normalized;
};
// Puts the parts in their order, and names in the explanation of the whole what explains it: the counter, and the step
// in which most of the time went.
Comparison concluded(Difference total, std::vector<Difference> steps, const std::vector<PerCounter>& per_counters);

// window / baseline; absent where that is no finite number, or the latter is not above 0.
std::optional<double> ratio_of(std::optional<double> window, std::optional<double> baseline);
// True where the two differ by at least kChangeMin of the baseline.
bool changed_enough(double window, double baseline);

// From single runs. Only those that succeeded are compared; others are passed over. Keeps about 40 bytes a run and a
// step of it, 16 a counter.
class Comparer {
 public:
  // `step`: compares that one alone. Late is a start delay above `grace`.
  Comparer(Measure measure, std::string step, Nanos grace);
  void add_window(const Run& run) { window_.add(run); }
  void add_baseline(const Run& run) { baseline_.add(run); }
  Comparison finish();  // once, at the end

 private:
  struct Sample {
    Sample(const Measure& measure, const std::string& step, Nanos grace);
    void add(const Run& run, const Measure& measure, const std::string& step);
    Accumulator statistics;
    std::vector<double> values;
  };
  struct Counted {
    std::vector<double> counter, seconds_per;
  };
  struct Side {
    Side(const Measure& measure, const std::string& step, Nanos grace);
    void add(const Run& run);
    void add_parts(const Run& run);
    // Of one of `steps`, whose runs are all those of the side.
    Sample take(const std::string& name);

    const Measure measure;
    const std::string step;
    const Nanos grace;
    Sample whole;
    std::map<std::string, Sample, std::less<>> steps;
    std::map<std::string, Counted, std::less<>> counters;
  };
  Difference difference(const std::string& step, Sample window, Sample baseline) const;
  std::vector<Difference> step_differences();
  std::vector<PerCounter> per_counters();

  const Measure measure_;
  Side window_, baseline_;
};

}  // namespace kleptometrics::aggregator::stats
