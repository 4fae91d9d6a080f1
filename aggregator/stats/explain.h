// Numbers put into a sentence for a person, with the arithmetic that led there. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "aggregator/stats/change_points.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/expectation.h"
#include "aggregator/stats/run_compare.h"

namespace kleptometrics::aggregator::stats {

// `61.2 s`, `4.50 ms`, `12 min`: three digits and the unit that suits, where the measure is a time; else the number,
// with its unit if it has one.
std::string value_text(double value, const Measure& measure);

// `median 61.2 s against 43.5 s over 30 runs, +41 %, p = 0.0004: slower`. Of everything but the explanation.
std::string explain(const Difference& difference, const Measure& measure);

// `41.0 min against a median of 22.0 min of 200 runs, slower than 98.5 % of them: slower; 18 of the 19 min more in
// `merge``, or `41.0 min against 22.0 min, +86 %: slower; …`. Of everything but the explanation.
std::string explain(const RunComparison& comparison);

// `median 61.2 s over 120 runs against 43.5 s over 300 before, +41 %, p = 0.0004: slower`. Likewise.
std::string explain(const ChangePoint& change, const Measure& measure);

// `the last 5 runs took longer than 33.0 min each, 41.0 min in the median; 22.0 min are usual, by 195 runs`.
std::string explain(const Sustained& shift);
// `750 ms for one of `records` against 500 ms that are usual, by 180 runs`: of a run that took so long, and counted.
// Requires limits.per, and counted > 0.
std::string per_text(double seconds, double counted, const Limits& limits);

// `per `records` it is unchanged: 2.1 times as many`.
std::string normalized_text(const PerCounter& per);

// By how much longer a part of a run took; negative: shorter. In seconds.
struct PartOfTime {
  std::string step;  // a path
  double seconds = 0;
};
// `38 of the 41 min more in `merge``: of the parts that explain at least half of what the whole took longer (negative:
// shorter), the one that explains most, or the deepest step within it that still does; empty if there is none.
std::string part_text(const std::vector<PartOfTime>& parts, double whole);

}  // namespace kleptometrics::aggregator::stats
