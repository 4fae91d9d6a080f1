// One run in question: against another run of its job, or against a baseline of many. Pure: no I/O, no clock, and the
// order of the baseline decides nothing. The query room makes a RunComparer for each question; one thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// Runs that a baseline needs for a verdict about one run, and how much of the baseline it must be slower (faster) than:
// with as many as that, one of 40 is so by chance.
inline constexpr std::size_t kRunSampleMin = 20;
inline constexpr double kRankSlower = 0.975;

// One value of the run, and what it is measured against: the other run's, or the median of the baseline.
struct PartDifference {
  std::string name;                        // of the step, counter or resource; empty: the whole run
  std::optional<double> value, reference;  // seconds of times; absent: unknown, of a step: it did not run
  std::optional<double> difference;        // value - reference; a step that did not run took no time
  std::optional<double> ratio;             // value / reference
};

struct RunComparison {
  Run run;
  std::optional<Run> to;          // the other run
  std::optional<Stats> baseline;  // or the durations of the baseline
  // Share of the baseline's runs that took less time, equal ones half; 0 to 1.
  std::optional<double> percentile_rank;
  PartDifference total;  // duration
  // Largest difference first, of steps in seconds, of counters in proportion.
  std::vector<PartDifference> steps, counters;
  std::vector<PartDifference> resources;  // cpu_seconds, max_rss_bytes, read_bytes, write_bytes: those that are known
  // Against another run there is no chance to judge: a change is what differs by kChangeMin.
  Verdict verdict = Verdict::kInsufficientData;
  std::string explanation;
};

// Against another run. Both have ended.
RunComparison compare_runs(Run run, Run to);

// Against those of `add` that succeeded. Keeps 8 bytes a value of each.
class RunComparer {
 public:
  RunComparer(Run run, Nanos grace);
  void add(const Run& run);
  RunComparison finish();  // once, at the end

 private:
  using Values = std::map<std::string, std::vector<double>, std::less<>>;
  std::optional<double> rank() const;

  RunComparison out_;
  Accumulator statistics_;
  std::size_t runs_ = 0;
  std::vector<double> durations_;
  Values steps_, counters_, resources_;
};

}  // namespace kleptometrics::aggregator::stats
