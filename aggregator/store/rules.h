// Small rules that all back ends share. Pure; any thread.
#pragma once

#include <algorithm>

#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// Says how its job fares. A canceled run does not.
inline bool is_verdict(State state) { return terminal(state) && state != State::kCanceled; }

inline Run without_steps(const Run& run) {
  Run out = run;
  out.steps.clear();
  return out;
}

// Which rollups a stretch is made of. Not of kRuns.
inline stats::Resolution resolution_of(Stretch::By by) {
  if (by == Stretch::By::kAll) return stats::Resolution::kAll;
  return by == Stretch::By::kHour ? stats::Resolution::kHour : stats::Resolution::kDay;
}
// True if what starts then is a part of the stretch.
inline bool holds(const Stretch& stretch, Nanos start) {
  return stretch.by == Stretch::By::kAll || (start >= stretch.since && start < stretch.until);
}

// The instant from which the retention of a run that has ended counts.
inline Nanos kept_since(const Run& run, Nanos committed_at) {
  return std::max(run.finished_at.value_or(run.started_at), committed_at);
}
// What is kept since before this has expired. Requires a retention.
inline Nanos expiry_horizon(const JobSpec& spec, Nanos now) { return now - Nanos{spec.retention_days} * stats::kDay; }

}  // namespace kleptometrics::aggregator
