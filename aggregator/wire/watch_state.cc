#include "aggregator/wire/watch_state.h"

#include <utility>

#include "aggregator/wire/findings.h"
#include "kleptometrics/v1/watch.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

using rules::RunFacts;
using rules::Slot;
using rules::Start;
using rules::Streak;

// An id that is absent reads as none.
std::string bytes_of(const Uuid& id) { return id.none() ? std::string() : std::string(id.view()); }
Uuid id_of(const std::string& bytes) { return Uuid::from_bytes(bytes).value_or(Uuid{}); }

void write(const Slot& slot, v1::WatchSlot& out) {
  out.set_at(slot.at);
  if (slot.start) out.set_start(*slot.start);
  out.set_run_id(bytes_of(slot.run_id));
  out.set_announced(slot.announced);
  out.set_told(static_cast<std::uint32_t>(slot.told));
  out.set_open(slot.open);
}

// False if it is none that a watch could have.
bool read(const v1::WatchSlot& in, Slot& slot) {
  slot.at = in.at();
  if (in.has_start()) slot.start = in.start();
  slot.run_id = id_of(in.run_id());
  slot.announced = in.announced();
  slot.told = static_cast<Slot::Told>(in.told());
  slot.open = in.open();
  return in.told() <= static_cast<std::uint32_t>(Slot::Told::kLate);
}

void write(const Start& start, v1::WatchStart& out) {
  out.set_at(start.at);
  out.set_run_id(bytes_of(start.run_id));
}

bool read(const v1::WatchStart& in, Start& start) {
  start = {in.at(), id_of(in.run_id())};
  return true;
}

void write(const RunFacts& run, v1::WatchRun& out) {
  out.set_id(bytes_of(run.id));
  out.set_started_at(run.started_at);
  if (run.scheduled_at) out.set_scheduled_at(*run.scheduled_at);
  out.set_attempt(run.attempt);
  out.set_state(static_cast<std::uint32_t>(run.state));
  out.set_verdict(run.verdict);
  out.set_revision(run.revision);
  out.set_ended_at(run.ended_at);
  out.set_duration(run.duration);
  out.set_cause(run.cause);
  out.set_history(run.history);
  out.set_overrun_limit(run.overrun_limit);
  out.set_slower_limit(run.slower_limit);
  if (run.too_long) out.set_too_long(*run.too_long);
  if (run.too_short) out.set_too_short(*run.too_short);
}

bool read(const v1::WatchRun& in, RunFacts& run) {
  run.id = id_of(in.id());
  run.started_at = in.started_at();
  if (in.has_scheduled_at()) run.scheduled_at = in.scheduled_at();
  run.attempt = in.attempt();
  run.state = static_cast<State>(in.state());
  run.verdict = in.verdict();
  run.revision = in.revision();
  run.ended_at = in.ended_at();
  run.duration = in.duration();
  run.cause = in.cause();
  run.history = in.history();
  run.overrun_limit = in.overrun_limit();
  run.slower_limit = in.slower_limit();
  if (in.has_too_long()) run.too_long = in.too_long();
  if (in.has_too_short()) run.too_short = in.too_short();
  return name_of(run.state) != "unknown";
}

void write(const Streak& streak, v1::WatchStreak& out) {
  out.set_failures(streak.failures);
  out.set_successes(streak.successes);
}

Streak streak_of(const v1::WatchStreak& in) { return {in.failures(), in.successes()}; }

template <typename Values, typename Messages>
void write_all(const Values& values, Messages& out) {
  for (const auto& value : values) write(value, *out.Add());
}

template <typename Messages, typename Values>
bool read_all(const Messages& in, Values& values) {
  for (const auto& message : in) {
    if (!read(message, values.emplace_back())) return false;
  }
  return true;
}

bool read_alerts(const v1::WatchState& in, std::vector<Alert>& alerts) {
  for (const std::string& bytes : in.open_alerts()) {
    absl::StatusOr<Alert> alert = decode_alert(bytes);
    if (!alert.ok()) return false;
    alerts.push_back(*std::move(alert));
  }
  return true;
}

}  // namespace

std::string encode_watch(const SavedWatch& watch) {
  const rules::JobWatchState& state = watch.state;
  v1::WatchState out;
  out.set_since(state.since);
  if (state.last_pause) {
    out.set_pause_since(state.last_pause->since);
    out.set_pause_until(state.last_pause->until);
  }
  out.set_judged(state.judged);
  write_all(state.slots, *out.mutable_slots());
  write_all(state.starts, *out.mutable_starts());
  if (state.overdue) out.set_overdue(*state.overdue);
  if (state.newest_start) out.set_newest_start(*state.newest_start);
  write_all(state.pending, *out.mutable_pending());
  write_all(state.running, *out.mutable_running());
  write_all(state.ended, *out.mutable_ended());
  write(state.before_ended, *out.mutable_before_ended());
  write(state.streak, *out.mutable_streak());
  for (const Alert& alert : state.open_alerts) out.add_open_alerts(encode_alert(alert));
  out.set_saved_at(watch.saved_at);
  return out.SerializeAsString();
}

absl::StatusOr<SavedWatch> decode_watch(std::string_view bytes) {
  v1::WatchState in;
  SavedWatch watch;
  rules::JobWatchState& state = watch.state;
  const bool fine = in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
                    read_all(in.slots(), state.slots) && read_all(in.starts(), state.starts) &&
                    read_all(in.pending(), state.pending) && read_all(in.running(), state.running) &&
                    read_all(in.ended(), state.ended) && read_alerts(in, state.open_alerts);
  if (!fine) return absl::DataLossError("what the watch over a job remembers is damaged");
  state.since = in.since();
  if (in.has_pause_since()) state.last_pause = {in.pause_since(), in.pause_until()};
  state.judged = in.judged();
  if (in.has_overdue()) state.overdue = in.overdue();
  if (in.has_newest_start()) state.newest_start = in.newest_start();
  state.before_ended = streak_of(in.before_ended());
  state.streak = streak_of(in.streak());
  watch.saved_at = in.saved_at();
  return watch;
}

}  // namespace kleptometrics::aggregator::wire
