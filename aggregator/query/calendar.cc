#include "aggregator/query/calendar.h"

#include <array>
#include <utility>

#include "absl/time/civil_time.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::query {
namespace {

using stats::kHour;

constexpr std::array<std::pair<std::string_view, Unit>, 4> kUnits = {
    {{"hour", Unit::kHour}, {"day", Unit::kDay}, {"week", Unit::kWeek}, {"month", Unit::kMonth}}};

// Where the clock stands against UTC.
Nanos offset_at(const absl::TimeZone& zone, Nanos at) {
  return zone.At(absl::FromUnixNanos(at)).offset * kNanosPerSecond;
}

// The instant in (before, after] at which the clock is changed. Requires different offsets at the two, and one change
// between them.
Nanos change_between(const absl::TimeZone& zone, Nanos before, Nanos after) {
  const Nanos old = offset_at(zone, before);
  while (after - before > 1) {
    const Nanos middle = before + (after - before) / 2;
    (offset_at(zone, middle) == old ? before : after) = middle;
  }
  return after;
}

// The first change of the clock after the instant; `otherwise` if there is none before that.
Nanos next_change(const absl::TimeZone& zone, Nanos after, Nanos otherwise) {
  absl::TimeZone::CivilTransition change;
  if (!zone.NextTransition(absl::FromUnixNanos(after), &change)) return otherwise;
  // What the clock shows after it was put back it showed before as well.
  const absl::Time at = zone.At(change.to).post;
  return at < absl::FromUnixNanos(otherwise) ? absl::ToUnixNanos(at) : otherwise;
}

Nanos floor_hour(Nanos at) { return stats::start_of(at, stats::Resolution::kHour); }
Nanos ceil_hour(Nanos at) { return floor_hour(at + kHour - 1); }

// First day of the day, week or month.
absl::CivilDay first_day(absl::CivilDay day, Unit unit) {
  if (unit == Unit::kMonth) return absl::CivilDay(absl::CivilMonth(day));
  if (unit == Unit::kWeek) return absl::PrevWeekday(day + 1, absl::Weekday::monday);
  return day;
}

absl::CivilDay next_first(absl::CivilDay first, Unit unit) {
  if (unit == Unit::kMonth) return absl::CivilDay(absl::CivilMonth(first) + 1);
  return first + (unit == Unit::kWeek ? 7 : 1);
}

}  // namespace

std::optional<Unit> unit_of(std::string_view name) {
  for (const auto& [spelling, unit] : kUnits) {
    if (spelling == name) return unit;
  }
  return std::nullopt;
}

std::string_view name_of(Unit unit) {
  for (const auto& [spelling, value] : kUnits) {
    if (value == unit) return spelling;
  }
  return "unknown";
}

Calendar::Span Calendar::hour_of(Nanos at) const {
  const Nanos offset = offset_at(zone_, at);
  const Nanos past = (at + offset) % kHour;
  Span span;
  span.start = at - (past < 0 ? past + kHour : past);
  span.end = span.start + kHour;
  if (offset_at(zone_, span.start) != offset) span.start = change_between(zone_, span.start, at);
  if (offset_at(zone_, span.end) != offset) span.end = change_between(zone_, at, span.end);
  return span;
}

Calendar::Span Calendar::days_of(Nanos at) const {
  // Abseil orders civil times: of a midnight that comes twice it gives the first, and of one that is left out the
  // instant of the change. Days that are left out whole have no length, and are passed over.
  const auto begin = [this](absl::CivilDay day) { return absl::ToUnixNanos(absl::FromCivil(day, zone_)); };
  absl::CivilDay first = first_day(absl::ToCivilDay(absl::FromUnixNanos(at), zone_), unit_);
  absl::CivilDay next = next_first(first, unit_);
  while (begin(next) <= at) {
    first = next;
    next = next_first(first, unit_);
  }
  return {begin(first), begin(next)};
}

bool Calendar::keeps_days_whole(Nanos since, Nanos until) const {
  if (unit_ == Unit::kHour) return false;
  for (Nanos at = since; at < until; at = next_change(zone_, at, until)) {
    if (offset_at(zone_, at) != 0) return false;
  }
  return true;
}

std::vector<Calendar::Span> Calendar::cut_hours(Nanos since, Nanos until) const {
  std::vector<Span> spans;
  const auto add = [&spans](Nanos start, Nanos end) {
    if (!spans.empty() && start <= spans.back().end) {
      spans.back().end = end;
    } else {
      spans.push_back({start, end});
    }
  };
  for (Nanos at = since; at < until;) {
    const Nanos next = next_change(zone_, at, until);
    if (offset_at(zone_, at) % kHour != 0) {
      add(floor_hour(at), ceil_hour(next));
    } else if (next < until && next % kHour != 0) {
      add(floor_hour(next), ceil_hour(next));
    }
    at = next;
  }
  return spans;
}

Calendar::Span Calendar::span_of(Nanos at) const { return unit_ == Unit::kHour ? hour_of(at) : days_of(at); }

}  // namespace kleptometrics::aggregator::query
