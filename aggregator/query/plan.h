// What of the store an answer about a stretch of time is made of: rollups of days where days are whole, of hours at the
// edges, and single runs alone where an edge cuts an hour. Where those have expired the edge is rounded outward, and
// the answer says so. Pure arithmetic of instants; any thread.
#pragma once

#include <optional>
#include <vector>

#include "aggregator/query/calendar.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::query {

// All runs start within these (model/run.h): where what is unbounded begins and ends. Both are the start of a day.
inline constexpr Nanos kTimeBegin = 0;
inline constexpr Nanos kTimeEnd = (kNanosEnd / stats::kDay + 1) * stats::kDay;

// The whole `length` (since 1970) at or before the instant, and at or after it. Of instants from 0 on.
inline Nanos floor_of(Nanos at, Nanos length) { return at - at % length; }
inline Nanos ceil_of(Nanos at, Nanos length) { return floor_of(at + length - 1, length); }

struct Cut {
  std::optional<Nanos> since, until;  // half-open, by started_at; absent: unbounded
  // The largest rollups that the answer can be made of: by kAll, only if it is about all time; those of hours where it
  // tells apart what lies within a day (UTC).
  Stretch::By largest = Stretch::By::kAll;
  bool hours = true;  // there are rollups by hour: of durations
  // Where the answer tells apart what lies within an hour: single runs alone will do. In order, apart from each other,
  // from full hour to full hour.
  std::vector<Calendar::Span> apart{};
  Nanos complete_since = kTimeBegin;  // Store::complete_since(): single runs from here on are all there
};

struct Plan {
  std::vector<Stretch> stretches;  // in order; none empty
  // What they cover: as asked for, in [kTimeBegin, kTimeEnd), or more where an edge had to be rounded.
  Calendar::Span covers;
  // Where the smallest rollups stand for single runs that have expired, and how long these are.
  std::vector<Calendar::Span> coarse;
  Nanos smallest = stats::kHour;
  bool rounded = false;  // at an edge, or anywhere within

  // The start of the first single run that is needed; kTimeEnd if none is.
  Nanos runs_since() const;
  // What is counted for a part of the time asked for, where each piece counts for the part that holds its start.
  Calendar::Span counted_for(const Calendar::Span& part) const;
};
Plan plan(const Cut& cut);

}  // namespace kleptometrics::aggregator::query
