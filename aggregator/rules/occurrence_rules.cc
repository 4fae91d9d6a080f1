#include <algorithm>
#include <tuple>

#include "aggregator/rules/start_rules.h"

namespace kleptometrics::aggregator::rules {
namespace {

using Slots = std::vector<Slot>;

Slots::iterator place_of(Slots& slots, Nanos at) {
  return std::lower_bound(slots.begin(), slots.end(), at, [](const Slot& slot, Nanos time) { return slot.at < time; });
}

Slot* find(Slots& slots, Nanos at) {
  const auto place = place_of(slots, at);
  return place != slots.end() && place->at == at ? &*place : nullptr;
}

Slot& find_or_insert(Slots& slots, Nanos at) {
  const auto place = place_of(slots, at);
  if (place != slots.end() && place->at == at) return *place;
  Slot slot;
  slot.at = at;
  return *slots.insert(place, slot);
}

// How many slots nothing more has to be said of, unless a late fact comes.
std::size_t settled_count(JobWatchState& state, const Calendar& calendar) {
  if (!calendar.has_occurrences()) return state.slots.size();
  return static_cast<std::size_t>(place_of(state.slots, later(state.judged, 1)) - state.slots.begin());
}

void forget_settled(JobWatchState& state, const Calendar& calendar) {
  const std::size_t count = settled_count(state, calendar);
  if (count <= kSlotsMax) return;
  state.slots.erase(state.slots.begin(), state.slots.begin() + static_cast<std::ptrdiff_t>(count - kSlotsMax));
}

// Says nothing of the oldest that waits, nor of those before it.
void give_up_oldest(JobWatchState& state, const Calendar& calendar) {
  const std::size_t settled = settled_count(state, calendar);
  if (state.slots.size() - settled <= kSlotsAheadMax) return;
  state.judged = state.slots[settled].at;
  state.since = std::max(state.since, later(state.judged, 1));
  forget_settled(state, calendar);
}

// Whether the run is the first at its occurrence, as far as is known by now.
bool note_start(JobWatchState& state, const Calendar& calendar, const RunFacts& run) {
  const auto at = calendar.slot_of(run);
  if (!at) return false;
  const bool full = settled_count(state, calendar) >= kSlotsMax;
  if (full && *at < state.slots.front().at) return false;
  Slot& slot = find_or_insert(state.slots, *at);
  if (slot.start && std::tie(*slot.start, slot.run_id) <= std::tie(run.started_at, run.id)) return false;
  slot.start = run.started_at;
  slot.run_id = run.id;
  slot.announced = run.scheduled_at.has_value();
  slot.history = run.history;
  give_up_oldest(state, calendar);
  return true;
}

enum class Judgement { kOnTime, kLate, kMissed };

// Of a slot, as far as its start is known.
Judgement judge(const Pass& pass, const Slot& slot) {
  const bool expected = slot.announced || slot.at >= pass.state.since;
  const bool in_time = slot.start && *slot.start <= pass.calendar.deadline(slot.at);
  if (in_time || !expected || pass.quiet(slot.at)) return Judgement::kOnTime;
  const auto end = pass.calendar.missed_end(slot.at);
  return slot.start && (!end || *slot.start < *end) ? Judgement::kLate : Judgement::kMissed;
}

bool later_one_started(const Slots& slots, Nanos at) {
  return std::any_of(slots.rbegin(), slots.rend(), [at](const Slot& slot) { return slot.at > at && slot.start; });
}

void tell_on_time(Pass& pass, Slot& slot, const RunFacts& run) {
  if (slot.told != Slot::Told::kNothing) withdraw_start_delay(pass, slot.at, *slot.start);
  slot.told = Slot::Told::kNothing;
  slot.open = false;
  close_late_by_start(pass, run);
}

void tell_late(Pass& pass, Slot& slot, const RunFacts& run) {
  slot.told = Slot::Told::kLate;
  slot.open = false;
  pass.out.delays.push_back(late_start(pass, slot.at, *slot.start, slot.run_id));
  if (!later_one_started(pass.state.slots, slot.at)) open_late(pass, run, slot.at);
}

Delay missed(const Pass& pass, const Slot& slot, std::optional<Nanos> closed_at) {
  Delay delay = start_delay(pass, DelayKind::kMissed, slot.at);
  delay.closed_at = closed_at;
  return delay;
}

void tell_missed(Pass& pass, Slot& slot) {
  const auto end = pass.calendar.missed_end(slot.at);
  slot.told = Slot::Told::kMissed;
  slot.open = !end || *end > pass.now;
  pass.out.delays.push_back(missed(pass, slot, slot.open ? std::nullopt : end));
}

// The occurrence's deadline has passed.
void judge_deadline(Pass& pass, Nanos at) {
  if (at < pass.state.since || pass.quiet(at)) return;
  Slot* slot = find(pass.state.slots, at);
  if (slot != nullptr && slot->start && *slot->start <= pass.calendar.deadline(at)) return;
  if (slot != nullptr && slot->told == Slot::Told::kLate) return;  // by a start that was ahead of the clock
  open_missed(pass, at);
  if (slot == nullptr) slot = &find_or_insert(pass.state.slots, at);
  if (judge(pass, *slot) == Judgement::kMissed) tell_missed(pass, *slot);  // a late one is told by its start
}

// A run has started, whose occurrence, if it is the first there, is noted already.
void judge_start(Pass& pass, const RunFacts& run, bool first) {
  close_missed_by_start(pass, run);
  if (!first) return;
  Slot* slot = find(pass.state.slots, *pass.calendar.slot_of(run));
  if (slot == nullptr || slot->run_id != run.id) return;  // given up, or an earlier start came with it
  switch (judge(pass, *slot)) {
    case Judgement::kOnTime:
      return tell_on_time(pass, *slot, run);
    case Judgement::kLate:
      return tell_late(pass, *slot, run);
    case Judgement::kMissed:
      return;  // too late: its deadline tells, or has told
  }
}

// When the missed alert was closed by a start that came to light late, or was opened by what has been disproved,
// something may still be missing since the newest start.
void reopen_missed(Pass& pass) {
  if (pass.open_alert(AlertKind::kMissed) != nullptr) return;
  const Slot* first = nullptr;
  for (auto slot = pass.state.slots.rbegin(); slot != pass.state.slots.rend(); ++slot) {
    if (slot->at > pass.state.judged) continue;
    const bool stands = slot->told == Slot::Told::kMissed && slot->at >= pass.state.since &&
                        pass.calendar.deadline(slot->at) > pass.state.newest_start;
    if (!stands) break;
    first = &*slot;
  }
  if (first != nullptr) open_missed(pass, first->at);
}

void close_passed(Pass& pass) {
  for (auto slot = pass.state.slots.rbegin(); slot != pass.state.slots.rend(); ++slot) {
    if (!slot->open) continue;
    const auto end = pass.calendar.missed_end(slot->at);
    if (!end || *end > pass.now) continue;
    slot->open = false;
    pass.out.delays.push_back(missed(pass, *slot, end));
  }
}

// The first occurrence that has not been judged, without those of which nothing will be said as they are before
// `since`, or in the pause.
std::optional<Nanos> next_to_judge(const JobWatchState& state, const Calendar& calendar) {
  auto at = calendar.next(std::max(state.judged, state.since - 1));
  const auto paused_until = calendar.spec().paused_until;
  if (at && paused_until && *at < *paused_until) at = calendar.next(*paused_until - 1);
  return at;
}

// Deadlines and starts, each at its time; at the same time the deadline comes first.
void walk(Pass& pass, const std::vector<RunFacts>& starts, const std::vector<bool>& first) {
  auto due = next_to_judge(pass.state, pass.calendar);
  std::size_t i = 0;
  while (true) {
    const bool passed = due && pass.calendar.deadline(*due) < pass.now;
    if (passed && (i == starts.size() || pass.calendar.deadline(*due) <= starts[i].started_at)) {
      judge_deadline(pass, *due);
      pass.state.judged = *due;
      due = next_to_judge(pass.state, pass.calendar);
    } else if (i < starts.size()) {
      judge_start(pass, starts[i], first[i]);
      ++i;
    } else {
      return;
    }
  }
}

}  // namespace

void judge_occurrences(Pass& pass, const std::vector<RunFacts>& starts) {
  std::vector<bool> first(starts.size());
  const auto newest_before = pass.state.newest_start;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    first[i] = note_start(pass.state, pass.calendar, starts[i]);
    pass.state.newest_start = std::max(pass.state.newest_start, std::optional<Nanos>(starts[i].started_at));
  }
  walk(pass, starts, first);
  const auto& judged = pass.state.judged;
  const bool old_news = !starts.empty() && (starts.front().started_at <= judged ||
                                            (newest_before && starts.front().started_at < *newest_before));
  if (old_news) reopen_missed(pass);
  close_passed(pass);
  forget_settled(pass.state, pass.calendar);
}

void forget_occurrences(Pass& pass, const std::string& clause) {
  for (Slot& slot : pass.state.slots) {
    if (!slot.open) continue;
    slot.open = false;
    pass.out.delays.push_back(missed(pass, slot, std::max(pass.now, pass.calendar.deadline(slot.at))));
  }
  pass.close(AlertKind::kMissed, pass.now, clause);
  pass.close(AlertKind::kLateStart, pass.now, clause);
}

void note_starts(JobWatchState& state, const Calendar& calendar, const std::vector<RunFacts>& runs) {
  for (const RunFacts& run : runs) note_start(state, calendar, run);
}

std::optional<Nanos> next_of_occurrences(const JobWatchState& state, const Calendar& calendar) {
  std::optional<Nanos> next;
  if (const auto at = next_to_judge(state, calendar)) next = later(calendar.deadline(*at), 1);
  for (const Slot& slot : state.slots) {
    if (!slot.open) continue;
    const auto end = calendar.missed_end(slot.at);
    if (end && (!next || *end < *next)) next = end;
  }
  return next;
}

}  // namespace kleptometrics::aggregator::rules
