// A comparison from rollups instead of single runs: of a year with the year before it in a moment. Its quantiles are
// within the error of a sketch, and values of one bucket count as equal; counts, means and extremes are exact. The
// query room fills the two sides. Pure: no I/O, no clock; one thread at a time, or readers only.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "aggregator/model/run.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::stats {

// One side, added up. Only runs that succeeded are looked at.
struct RollupSide {
  using Parts = std::map<std::string, Rollup, std::less<>>;
  Rollup whole;                    // of the series in question
  Parts steps;                     // by path
  Parts counters;                  // by name: COUNTER
  Parts per_counters;              // by name: seconds_per:COUNTER
  Rounded rounded, parts_rounded;  // what `whole`, and what its parts are of

  // Counts a run in `whole`, which is of `series`; where these are durations, in all its parts too.
  void add(const Run& run, const Series& series);
  // The names of the parts that runs of this kind have: nothing is measured.
  void name_parts(const Run& run);
};

// `series`: what `whole` is of. Where it is no durations, parts are not looked at.
Comparison compare_rollups(const RollupSide& window, const RollupSide& baseline, const Series& series);

}  // namespace kleptometrics::aggregator::stats
