#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "aggregator/rules/run_rules.h"
#include "aggregator/rules/sentences.h"
#include "lib/base/instant.h"

namespace kleptometrics::aggregator::rules {
namespace {

constexpr std::array<AlertKind, 2> kFailingKinds = {AlertKind::kFailed, AlertKind::kCrashed};

bool ends_before(const RunFacts& a, const RunFacts& b) {
  return std::tie(a.ended_at, a.id) < std::tie(b.ended_at, b.id);
}

Streak after(Streak streak, const RunFacts& run) {
  if (run.failed()) return {streak.failures + 1, 0};
  if (run.state == State::kSucceeded) return {0, streak.successes + 1};
  return streak;
}

Streak recounted(const JobWatchState& state) {
  Streak streak = state.before_ended;
  for (const RunFacts& run : state.ended) streak = after(streak, run);
  return streak;
}

AlertKind failing_kind(const RunFacts& run) {
  return run.state == State::kCrashed ? AlertKind::kCrashed : AlertKind::kFailed;
}

// Requires a failed run that brought the streak to what it is.
void open_failing(Pass& pass, const RunFacts& run) {
  const AlertKind kind = failing_kind(run);
  const std::uint32_t enough = std::max(pass.spec().failures_before_alert, 1U);
  const std::uint32_t in_a_row = pass.state.streak.failures;
  if (in_a_row < enough || run.history || pass.open_alert(kind) != nullptr) return;
  Alert alert;
  alert.id = alert_id(pass.job, kind, run.id);
  alert.kind = kind;
  alert.run_id = run.id;
  alert.opened_at = run.ended_at;
  alert.message = failure_text(run, in_a_row, enough);
  pass.open(std::move(alert));
}

void close_failing(Pass& pass, const RunFacts& success) {
  const std::uint32_t enough = std::max(pass.spec().successes_before_recovery, 1U);
  if (pass.state.streak.successes < enough) return;
  std::string clause = "a run succeeded at " + instant_text(success.ended_at);
  if (enough > 1) clause += ", " + std::to_string(pass.state.streak.successes) + " in a row";
  for (const AlertKind kind : kFailingKinds) pass.close(kind, success.ended_at, clause);
}

// What follows from the streak, by the run that it ends with.
void tell(Pass& pass, const RunFacts& last) {
  if (last.failed()) open_failing(pass, last);
  if (last.state == State::kSucceeded) close_failing(pass, last);
}

// The last that counts in a streak; null if there is none.
const RunFacts* last_counted(const std::vector<RunFacts>& ended) {
  const auto last =
      std::find_if(ended.rbegin(), ended.rend(), [](const RunFacts& run) { return run.state != State::kCanceled; });
  return last == ended.rend() ? nullptr : &*last;
}

// What the run has opened and is no longer true of it.
void close_overruled(Pass& pass, const RunFacts& run, bool too_short) {
  const std::string clause =
      "it is known now that this run " + std::string(name_of(run.state)) + ", at " + instant_text(run.ended_at);
  for (const AlertKind kind : kFailingKinds) {
    if (run.failed() && failing_kind(run) == kind) continue;
    pass.close(alert_id(pass.job, kind, run.id), pass.now, clause);
  }
  if (!too_short) pass.close(alert_id(pass.job, AlertKind::kTooShort, run.id), pass.now, clause);
}

bool below_allowed(const Pass& pass, const RunFacts& run) { return run.duration < pass.spec().min_duration; }
bool below_learned(const Pass& pass, const RunFacts& run) {
  const std::optional<Limits> learned = learned_for(run, pass.limits);
  return learned && run.duration < learned->too_short.value_or(0);
}
bool is_too_short(const Pass& pass, const RunFacts& run) {
  return run.state == State::kSucceeded && (below_allowed(pass, run) || below_learned(pass, run));
}

void open_too_short(Pass& pass, const RunFacts& run) {
  if (run.history || pass.open_alert(AlertKind::kTooShort) != nullptr) return;
  const bool allowed = below_allowed(pass, run);
  Alert alert;
  alert.id = alert_id(pass.job, AlertKind::kTooShort, run.id);
  alert.kind = AlertKind::kTooShort;
  alert.run_id = run.id;
  alert.opened_at = run.ended_at;
  const std::optional<Limits> learned = learned_for(run, pass.limits);
  alert.expected = allowed ? pass.spec().min_duration : *learned->too_short;
  alert.actual = run.duration;
  alert.message =
      allowed ? too_short_text(run.duration, pass.spec().min_duration) : too_short_text(run.duration, *learned);
  pass.open(std::move(alert));
}

void judge_too_short(Pass& pass, const RunFacts& run, bool too_short) {
  if (too_short) return open_too_short(pass, run);
  pass.close(AlertKind::kTooShort, run.ended_at, "a run took " + length_text(run.duration));
}

// Whether a known run succeeded after this one ended.
bool success_after(const std::vector<RunFacts>& ended, const RunFacts& run) {
  return std::any_of(ended.rbegin(), ended.rend(), [&run](const RunFacts& other) {
    return other.state == State::kSucceeded && ends_before(run, other);
  });
}

// Whether it is the last; without an answer if it ended before all that are remembered.
std::optional<bool> remember(JobWatchState& state, const RunFacts& run) {
  const auto place = std::lower_bound(state.ended.begin(), state.ended.end(), run, ends_before);
  const bool last = place == state.ended.end();
  if (place == state.ended.begin() && state.ended.size() >= kEndedMax) return std::nullopt;
  state.ended.insert(place, run)->cause.clear();
  if (state.ended.size() > kEndedMax) {
    state.before_ended = after(state.before_ended, state.ended.front());
    state.ended.erase(state.ended.begin());
  }
  return last;
}

}  // namespace

void judge_outcome(Pass& pass, const End& end) {
  const RunFacts& run = end.run;
  const bool too_short = is_too_short(pass, run);
  if (!pass.state.open_alerts.empty()) close_overruled(pass, run, too_short);
  const auto last = remember(pass.state, run);
  if (!last) return;
  const bool in_order = *last && !end.before;
  pass.state.streak = in_order ? after(pass.state.streak, run) : recounted(pass.state);
  // What the streak is now counts, whoever brought it there: tell() of the run that has just ended, with its cause, or
  // of the one that ended last.
  const RunFacts* counted = in_order ? &run : last_counted(pass.state.ended);
  if (counted != nullptr) tell(pass, counted->id == run.id ? run : RunFacts(*counted));
  if (run.state == State::kSucceeded && !success_after(pass.state.ended, run)) judge_too_short(pass, run, too_short);
}

}  // namespace kleptometrics::aggregator::rules
