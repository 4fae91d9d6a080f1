// What the answers that consist of parts (a history of buckets, a profile of hours) have in common with the plain one.
// Pure; any thread.
#pragma once

#include <algorithm>

#include "aggregator/query/plan.h"
#include "aggregator/query/query.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::query {

// True if rollups know all that the filter asks: a job, and a stretch of time. Its states are not looked at.
inline bool from_rollups(const RunFilter& filter) {
  return filter.host.empty() && filter.version.empty() && filter.build_id.empty() && filter.labels.empty();
}

inline stats::Series series_of(const StatsRequest& request) { return {request.measure, request.step}; }

// How the time of the request is cut where the parts are spans of the calendar, or hours of its days.
inline Cut cut_by(const Calendar& calendar, const RunFilter& filter) {
  Cut cut;
  cut.since = filter.since;
  cut.until = filter.until;
  const Nanos begin = std::clamp(filter.since.value_or(kTimeBegin), kTimeBegin, kTimeEnd);
  const Nanos end = std::clamp(filter.until.value_or(kTimeEnd), kTimeBegin, kTimeEnd);
  if (calendar.keeps_days_whole(begin, end)) {
    cut.largest = Stretch::By::kDay;
  } else {
    cut.largest = Stretch::By::kHour;
    cut.apart = calendar.cut_hours(begin, end);
  }
  return cut;
}

}  // namespace kleptometrics::aggregator::query
