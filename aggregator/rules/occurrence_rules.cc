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

// What a start is to its occurrence, as far as is known by now.
enum class Place {
  kNone,       // it has none, or is not the first there
  kFirst,      //
  kForgotten,  // the occurrence is older than what is remembered
};

Place note_start(JobWatchState& state, const Calendar& calendar, const RunFacts& run) {
  const auto at = calendar.slot_of(run);
  if (!at) return Place::kNone;
  const bool full = settled_count(state, calendar) >= kSlotsMax;
  if (full && *at < state.slots.front().at) return Place::kForgotten;
  Slot& slot = find_or_insert(state.slots, *at);
  if (slot.start && std::tie(*slot.start, slot.run_id) <= std::tie(run.started_at, run.id)) return Place::kNone;
  slot.start = run.started_at;
  slot.run_id = run.id;
  slot.announced = run.scheduled_at.has_value();
  give_up_oldest(state, calendar);
  return Place::kFirst;
}

enum class Judgement { kOnTime, kExcused, kLate, kMissed };

// Of a slot, as far as its start is known.
Judgement judge(const Pass& pass, const Slot& slot) {
  const bool fresh = slot.at >= pass.state.since;
  const bool expected = fresh || (slot.announced && slot.told != Slot::Told::kMissed);
  const bool in_time = slot.start && *slot.start <= pass.calendar.deadline(slot.at);
  if (in_time) return Judgement::kOnTime;
  if (!expected || pass.quiet(slot.at)) return Judgement::kExcused;
  const auto end = pass.calendar.missed_end(slot.at);
  return slot.start && (!end || *slot.start < *end) ? Judgement::kLate : Judgement::kMissed;
}

void tell_on_time(Pass& pass, Slot& slot, const RunFacts& run) {
  if (slot.told != Slot::Told::kNothing) withdraw_start_delay(pass, slot.at, *slot.start);
  slot.told = Slot::Told::kNothing;
  slot.open = false;
  close_late_by_start(pass, run.started_at);
}

// The late start comes to light after others that came later: the first of those that was on time has closed its alert.
void close_by_known(Pass& pass, const Slot& late, Nanos newest) {
  const Slot* first = nullptr;
  for (const Slot& slot : pass.state.slots) {
    const bool after = slot.start && *slot.start >= *late.start && *slot.start <= newest && slot.at != late.at;
    if (!after || judge(pass, slot) != Judgement::kOnTime) continue;
    if (first == nullptr || *slot.start < *first->start) first = &slot;
  }
  if (first != nullptr) close_late_by_start(pass, *first->start);
}

void tell_late(Pass& pass, Slot& slot, const RunFacts& run, std::optional<Nanos> newest_before) {
  slot.told = Slot::Told::kLate;
  slot.open = false;
  pass.out.put(late_start(pass, slot.at, *slot.start, slot.run_id));
  open_late(pass, run, slot.at);
  if (newest_before && run.started_at < *newest_before) close_by_known(pass, slot, *newest_before);
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
  pass.out.put(missed(pass, slot, slot.open ? std::nullopt : end));
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

struct NewStart {
  const RunFacts& run;
  Place place;
};

// A run has started, and its place is noted already. `newest_before`: the newest start that was known before.
void judge_start(Pass& pass, const NewStart& start, std::optional<Nanos> newest_before) {
  if (start.place == Place::kForgotten) return;
  close_missed_by_start(pass, start.run);
  if (start.place == Place::kNone) return;
  Slot* slot = find(pass.state.slots, *pass.calendar.slot_of(start.run));
  if (slot == nullptr || slot->run_id != start.run.id) return;  // given up, or an earlier start came with it
  switch (judge(pass, *slot)) {
    case Judgement::kOnTime:
      return tell_on_time(pass, *slot, start.run);
    case Judgement::kLate:
      return tell_late(pass, *slot, start.run, newest_before);
    case Judgement::kExcused:
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
    pass.out.put(missed(pass, *slot, end));
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

// Whether there is nothing more to wait for at the occurrence.
bool is_over(Pass& pass, Nanos at) {
  if (pass.calendar.deadline(at) < pass.now) return true;
  const Slot* slot = find(pass.state.slots, at);
  return slot != nullptr && slot->start && *slot->start <= pass.calendar.deadline(at);
}

// Deadlines and starts, each at its time; at the same time the start comes first, as it is still in time.
void walk(Pass& pass, const std::vector<NewStart>& starts, std::optional<Nanos> newest_before) {
  auto due = next_to_judge(pass.state, pass.calendar);
  std::size_t i = 0;
  while (true) {
    const bool over = due && is_over(pass, *due);
    if (over && (i == starts.size() || pass.calendar.deadline(*due) < starts[i].run.started_at)) {
      judge_deadline(pass, *due);
      pass.state.judged = *due;
      due = next_to_judge(pass.state, pass.calendar);
    } else if (i < starts.size()) {
      judge_start(pass, starts[i], newest_before);
      ++i;
    } else {
      return;
    }
  }
}

// Notes them all before any is judged, so that a deadline knows the starts before and after it.
std::vector<NewStart> noted(Pass& pass, const std::vector<RunFacts>& runs) {
  std::vector<NewStart> starts;
  for (const RunFacts& run : runs) starts.push_back({run, note_start(pass.state, pass.calendar, run)});
  if (!runs.empty()) {
    pass.state.newest_start = std::max(pass.state.newest_start, std::optional<Nanos>(runs.back().started_at));
  }
  return starts;
}

}  // namespace

void judge_occurrences(Pass& pass, const std::vector<RunFacts>& starts) {
  const auto newest_before = pass.state.newest_start;
  walk(pass, noted(pass, starts), newest_before);
  const bool old_news = !starts.empty() && (starts.front().started_at <= pass.state.judged ||
                                            (newest_before && starts.front().started_at < *newest_before));
  if (old_news) reopen_missed(pass);
  close_passed(pass);
  forget_settled(pass.state, pass.calendar);
}

void forget_occurrences(Pass& pass, const std::string& clause) {
  for (Slot& slot : pass.state.slots) {
    if (!slot.open) continue;
    slot.open = false;
    pass.out.put(missed(pass, slot, std::max(pass.now, pass.calendar.deadline(slot.at))));
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
