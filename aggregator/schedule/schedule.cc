#include "aggregator/schedule/schedule.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "aggregator/model/utf8.h"
#include "aggregator/schedule/zone.h"

namespace kleptometrics::aggregator::schedule {
namespace {

using absl::CivilMinute;

// When a clock in the zone shows the minute: the first time where it does so twice, the moment at which it is put
// forward where it never does. Rises with the minute, if not strictly.
absl::Time instant_of(CivilMinute minute, const absl::TimeZone& zone) { return absl::FromCivil(minute, zone); }

// What the clock was to show when it was last changed, at the instant or before it. Put back, it had shown every minute
// before that one by then. nullopt if it was never changed.
std::optional<absl::CivilSecond> last_change(absl::Time at, const absl::TimeZone& zone) {
  absl::TimeZone::CivilTransition change;
  // Abseil looks before the full second of what it is asked about.
  if (!zone.PrevTransition(at + absl::Seconds(1), &change)) return std::nullopt;
  return change.from;
}

// The last minute whose instant_of() is at the given one or before it.
CivilMinute latest_shown(absl::Time at, const absl::TimeZone& zone) {
  const CivilMinute now(absl::ToCivilSecond(at, zone));
  const auto change = last_change(at, zone);
  return change ? std::max(now, CivilMinute(*change - 1)) : now;
}

std::optional<Nanos> nanos_of(absl::Time time) {
  if (time < absl::UnixEpoch() || time >= absl::FromUnixNanos(kNanosEnd)) return std::nullopt;
  return absl::ToUnixNanos(time);
}

FieldError fault_of(std::string field, const absl::Status& status) {
  return {std::move(field), std::string(status.message())};
}

// Reads an expression into `cron`, unless it is empty.
std::optional<FieldError> read_cron(std::string field, const std::string& text, std::optional<Cron>& cron) {
  if (text.empty()) return std::nullopt;
  auto parsed = Cron::parse(text);
  if (!parsed.ok()) return fault_of(std::move(field), parsed.status());
  cron = *std::move(parsed);
  return std::nullopt;
}

}  // namespace

std::optional<FieldError> Schedule::read(const JobSpec& spec, Schedule& into) {
  if (auto fault = read_cron("schedule.cron", spec.cron, into.cron_)) return fault;
  into.interval_ = spec.interval;
  if (!spec.timezone.empty()) {
    const auto zone = find_time_zone(spec.timezone);
    if (!zone) return FieldError{"timezone", quoted(spec.timezone) + " is no time zone that is known here"};
    into.zone_ = *zone;
  }
  for (std::size_t i = 0; i < spec.maintenance.size(); ++i) {
    const MaintenanceWindow& window = spec.maintenance[i];
    Window read{std::nullopt, window.since, window.until, window.duration};
    if (auto fault = read_cron(absl::StrCat("maintenance[", i, "].cron"), window.cron, read.cron)) return fault;
    into.maintenance_.push_back(std::move(read));
  }
  return std::nullopt;
}

std::optional<FieldError> unreadable(const JobSpec& spec) {
  Schedule schedule;
  return Schedule::read(spec, schedule);
}

absl::StatusOr<Schedule> Schedule::of(const JobSpec& spec) {
  Schedule schedule;
  const auto fault = read(spec, schedule);
  if (!fault) return schedule;
  return absl::InvalidArgumentError(absl::StrCat(fault->field, ": ", fault->detail));
}

std::optional<Nanos> Schedule::next_of(const Cron& cron, Nanos after) const {
  const absl::Time time = absl::FromUnixNanos(std::max(after, Nanos{-1}));
  const auto minute = cron.at_or_after(latest_shown(time, zone_) + 1);
  return minute ? nanos_of(instant_of(*minute, zone_)) : std::nullopt;
}

std::optional<Nanos> Schedule::previous_of(const Cron& cron, Nanos at) const {
  const auto minute = cron.at_or_before(latest_shown(absl::FromUnixNanos(at), zone_));
  return minute ? nanos_of(instant_of(*minute, zone_)) : std::nullopt;
}

std::optional<Nanos> Schedule::next(Nanos after) const { return cron_ ? next_of(*cron_, after) : std::nullopt; }

std::optional<Nanos> Schedule::previous(Nanos at) const { return cron_ ? previous_of(*cron_, at) : std::nullopt; }

std::optional<Nanos> Schedule::maintenance_end(Nanos at) const {
  std::optional<Nanos> end;
  for (const Window& window : maintenance_) {
    const auto since = window.cron ? previous_of(*window.cron, at) : std::optional<Nanos>(window.since);
    if (!since || *since > at) continue;
    const Nanos until = window.cron ? *since + std::min(window.duration, kNanosEnd - *since) : window.until;
    if (until > at) end = std::max(end.value_or(until), until);
  }
  return end;
}

}  // namespace kleptometrics::aggregator::schedule
