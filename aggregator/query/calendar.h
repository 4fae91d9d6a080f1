// When an hour, a day, a week or a month begins and ends, by the clock of a place. Days are as long as they are there:
// 23 or 25 hours where the clock is changed, and the hour that then comes twice is two hours. Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "aggregator/schedule/zone.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::query {

using schedule::find_time_zone;

enum class Unit { kHour, kDay, kWeek, kMonth };
// `hour` and so on; nullopt for any other spelling.
std::optional<Unit> unit_of(std::string_view name);
std::string_view name_of(Unit unit);

class Calendar {
 public:
  struct Span {
    Nanos start = 0;
    Nanos end = 0;  // start of the next; above start
  };

  Calendar() : Calendar(absl::UTCTimeZone(), Unit::kDay) {}
  Calendar(absl::TimeZone zone, Unit unit) : zone_(zone), unit_(unit) {}

  // The one span that holds the instant. Weeks start on Monday. Spans follow each other without gap or overlap, also
  // where the clock is changed: a day or more begins when its first midnight comes, or would have come; an hour begins
  // when the clock shows a full one, or is changed.
  Span span_of(Nanos at) const;

  // True if no span cuts a day of UTC between the two instants.
  bool keeps_days_whole(Nanos since, Nanos until) const;
  // Where spans may cut hours of UTC between the two instants, from full hour to full hour of UTC, in order and apart
  // from each other: while the clock is not whole hours off, and when it is changed at no full hour.
  std::vector<Span> cut_hours(Nanos since, Nanos until) const;

 private:
  Span hour_of(Nanos at) const;
  Span days_of(Nanos at) const;

  absl::TimeZone zone_;
  Unit unit_;
};

}  // namespace kleptometrics::aggregator::query
