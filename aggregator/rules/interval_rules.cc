#include <algorithm>
#include <tuple>

#include "aggregator/rules/start_rules.h"

namespace kleptometrics::aggregator::rules {
namespace {

bool before(const Start& a, const Start& b) { return std::tie(a.at, a.run_id) < std::tie(b.at, b.run_id); }

// When the start at the index was due.
std::optional<Nanos> due_of(const Pass& pass, std::size_t index) {
  const auto& starts = pass.state.starts;
  return pass.calendar.due_after(index == 0 ? pass.state.since : starts[index - 1].at, pass.state);
}

bool is_late(const Pass& pass, std::optional<Nanos> due, Nanos start) {
  return due && start > pass.calendar.deadline(*due);
}

// A start that comes after all that are known.
void judge_newest(Pass& pass, const RunFacts& run, std::optional<Nanos> due) {
  const auto overdue = pass.state.overdue;
  if (overdue) due = overdue;
  pass.state.overdue.reset();
  if (!is_late(pass, due, run.started_at)) {
    if (overdue) withdraw_start_delay(pass, *overdue, run.started_at);
    close_late_by_start(pass, run.started_at);
    return;
  }
  pass.out.put(late_start(pass, *due, run.started_at, run.id));
  if (!overdue) open_missed(pass, *due);
  close_missed_by_start(pass, run);
  open_late(pass, run, *due);
}

// A start that comes to light when the one after it, at index + 1, has been judged by the one before it.
void judge_between(Pass& pass, const RunFacts& run, std::size_t index) {
  const auto due = due_of(pass, index);
  const auto next_due = due_of(pass, index + 1);
  if (next_due == due) return;  // they started at once
  const Start next = pass.state.starts[index + 1];
  if (is_late(pass, due, run.started_at)) {
    pass.out.put(late_start(pass, *due, run.started_at, run.id));
  } else if (is_late(pass, due, next.at)) {
    withdraw_start_delay(pass, *due, run.started_at);
  }
  if (is_late(pass, next_due, next.at)) pass.out.put(late_start(pass, *next_due, next.at, next.run_id));
}

void judge_start(Pass& pass, const RunFacts& run) {
  auto& starts = pass.state.starts;
  const Start start{run.started_at, run.id};
  const auto place = std::lower_bound(starts.begin(), starts.end(), start, before);
  if (place != starts.end() && *place == start) return;
  if (place == starts.begin() && starts.size() == kStartsMax) return;
  const auto index = static_cast<std::size_t>(place - starts.begin());
  starts.insert(place, start);
  if (index + 1 == starts.size()) {
    judge_newest(pass, run, due_of(pass, index));
  } else {
    judge_between(pass, run, index);
  }
  close_missed_by_start(pass, run);
  if (starts.size() > kStartsMax) starts.erase(starts.begin());
}

}  // namespace

void judge_intervals(Pass& pass, const std::vector<RunFacts>& starts) {
  for (const RunFacts& run : starts) judge_start(pass, run);
  if (pass.state.overdue) return;
  const auto due = due_of(pass, pass.state.starts.size());
  if (!is_late(pass, due, pass.now)) return;
  pass.state.overdue = due;
  pass.out.put(start_delay(pass, DelayKind::kMissed, *due));
  open_missed(pass, *due);
}

void forget_intervals(Pass& pass, const std::string& clause) {
  if (pass.state.overdue) {
    Delay delay = start_delay(pass, DelayKind::kMissed, *pass.state.overdue);
    delay.closed_at = std::max(pass.now, delay.opened_at);
    pass.out.put(std::move(delay));
    pass.state.overdue.reset();
  }
  pass.close(AlertKind::kMissed, pass.now, clause);
  pass.close(AlertKind::kLateStart, pass.now, clause);
}

std::optional<Nanos> next_of_intervals(const JobWatchState& state, const Calendar& calendar) {
  if (state.overdue) return std::nullopt;
  const auto due = calendar.due_after(state.starts.empty() ? state.since : state.starts.back().at, state);
  if (!due) return std::nullopt;
  return later(calendar.deadline(*due), 1);
}

}  // namespace kleptometrics::aggregator::rules
