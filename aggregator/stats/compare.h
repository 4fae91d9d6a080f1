// Two sets of runs against each other: a window, in question, and a baseline, known. Is it slower, by how much, is that
// more than chance, and which step is it? Pure: no I/O, no clock, and the order in which runs are added decides
// nothing. The query room makes a Comparer for each question; one thread at a time.
//
// Chance is judged by the Mann-Whitney U test, which knows nothing of the shape of the distributions: durations are
// skewed, and a single outlier must not decide.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"
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

struct RankTest {
  double probability_slower = 0.5;  // that a value of the first is above one of the second, ties half
  double p_value = 1;               // two-sided
};
// H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than the
// other", Annals of Mathematical Statistics 18 (1947), 50-60. Normal approximation with correction for ties (E. L.
// Lehmann, "Nonparametrics", 1975, section 1.4) and for continuity. Takes the values in any order; nullopt if one of
// the two has none.
std::optional<RankTest> mann_whitney(std::vector<double> window, std::vector<double> baseline);

// The window against the baseline, in the whole or in one step.
struct Difference {
  std::string step;  // empty: the whole
  Stats window, baseline;
  std::optional<double> median_ratio, p95_ratio;  // window / baseline; absent where the latter is not above 0
  std::optional<double> probability_slower, p_value;
  Verdict verdict = Verdict::kInsufficientData;
  std::string explanation;  // a sentence with its arithmetic
};

struct Comparison {
  Difference total;
  // Steps of runs on either side, where the durations of whole runs are compared: those with the largest difference of
  // time a run first.
  std::vector<Difference> steps;
};

// Only runs that succeeded are compared; others are passed over. Keeps about 40 bytes a run and a step of it.
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
  struct Side {
    Side(const Measure& measure, const std::string& step, Nanos grace);
    void add(const Run& run);
    // Of one of `steps`, whose runs are all those of the side.
    Sample take(const std::string& name);

    const Measure measure;
    const std::string step;
    const Nanos grace;
    Sample whole;
    std::map<std::string, Sample, std::less<>> steps;
  };
  Difference difference(const std::string& step, Sample window, Sample baseline) const;
  std::vector<Difference> step_differences(const Difference& total);

  const Measure measure_;
  Side window_, baseline_;
};

}  // namespace kleptometrics::aggregator::stats
