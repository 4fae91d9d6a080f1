#include "aggregator/rules/calendar.h"

#include <algorithm>
#include <utility>

namespace kleptometrics::aggregator::rules {
namespace {

// Windows that follow each other without a gap for longer than so many of them never end, for an interval.
constexpr int kWindowsMax = 10'000;

std::optional<schedule::Schedule> readable(const JobSpec& spec) {
  auto schedule = schedule::Schedule::of(spec);
  if (!schedule.ok()) return std::nullopt;
  return *std::move(schedule);
}

}  // namespace

Calendar::Calendar(JobSpec spec) : spec_(std::move(spec)), schedule_(readable(spec_)) {}

std::optional<Calendar::Between> Calendar::around(Nanos at) const {
  if (last_ && last_->previous <= at && at < last_->next) return last_;
  const bool follows = last_ && last_->next <= at;
  const auto after = follows ? schedule_->next(last_->next) : std::nullopt;
  if (after && at < *after) {
    last_ = Between{last_->next, *after};
    return last_;
  }
  const auto previous = schedule_->previous(at);
  const auto next = schedule_->next(at);
  if (!previous || !next) return std::nullopt;
  last_ = Between{*previous, *next};
  return last_;
}

std::optional<Nanos> Calendar::next(Nanos after) const {
  if (!has_occurrences()) return std::nullopt;
  const auto between = around(after);
  return between ? between->next : schedule_->next(after);
}

bool Calendar::is_occurrence(Nanos at) const {
  if (!has_occurrences()) return false;
  const auto between = around(at);
  return between ? between->previous == at : schedule_->previous(at) == at;
}

std::optional<Nanos> Calendar::slot_of(const RunFacts& run) const {
  if (has_interval()) return std::nullopt;
  if (run.scheduled_at) return run.scheduled_at;
  if (!has_occurrences()) return std::nullopt;
  const auto between = around(run.started_at);
  if (!between) return std::nullopt;
  const bool first_is_near = run.started_at - between->previous <= between->next - run.started_at;
  return run.attempt > 1 || first_is_near ? between->previous : between->next;
}

std::optional<Nanos> Calendar::missed_end(Nanos at) const {
  const auto after = next(at);
  if (!after) return std::nullopt;
  return std::max(*after, deadline(at));
}

std::optional<Nanos> Calendar::due_after(Nanos last, const JobWatchState& state) const {
  Nanos due = later(std::max(last, state.since), spec_.interval);
  for (int i = 0; i < kWindowsMax && due < kNanosEnd; ++i) {
    const auto end = quiet_end(due, state);
    if (!end) return due;
    const Nanos left = *end - due;  // above 0
    const Nanos steps = (left - 1) / spec_.interval + 1;
    due = steps > (kNanosEnd - due) / spec_.interval ? kNanosEnd : due + steps * spec_.interval;
  }
  return std::nullopt;
}

std::optional<Nanos> Calendar::quiet_end(Nanos at, const JobWatchState& state) const {
  std::optional<Nanos> end;
  const auto consider = [at, &end](Nanos since, Nanos until) {
    if (since <= at && at < until) end = std::max(end.value_or(until), until);
  };
  if (!spec_.maintenance.empty() && schedule_) end = schedule_->maintenance_end(at);
  if (spec_.paused_until) consider(state.since, *spec_.paused_until);
  if (state.last_pause) consider(state.last_pause->since, state.last_pause->until);
  return end;
}

}  // namespace kleptometrics::aggregator::rules
