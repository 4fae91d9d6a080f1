#include "lib/src/run_state.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "lib/base/limits.h"
#include "lib/src/text.h"

namespace kleptometrics::internal {
namespace {

constexpr Nanos kProgressInterval = kNanosPerSecond;  // between two snapshots of a run that reports progress
// Memory may be short for a moment only. If it stays so, the run is found open in the journal, and taken for crashed.
constexpr int kEndTries = 3;
constexpr std::string_view kExceptionMessage = "an exception left the scope of the run";

Nanos nanos(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// Runs `body` and gives up quietly where memory is short: a job never learns of it.
template <typename Body>
void quietly(Body body) noexcept {
  try {
    body();
  } catch (...) {  // left out
  }
}

template <typename Clean, typename... More>
std::string cleaned(ClientState& client, Clean clean, std::string_view text, More... more) {
  bool cut = false;
  std::string out = clean(text, more..., &cut);
  if (cut) client.count_cut();
  return out;
}

Uuid chosen_id(ClientState& client, const std::string& text, Nanos wall) {
  if (const auto given = Uuid::parse(text); given && !given->none()) return *given;
  if (!text.empty()) client.count_cut();
  return Uuid::make_v7(wall);
}

TimePoint start_of(const ClientState& client, const RunOptions& options) {
  TimePoint now = client.clock.now();
  if (options.started_at) now.wall = nanos(*options.started_at);
  return now;
}

Usage difference(const Usage& after, const Usage& before) {
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  Usage out = after;
  out.cpu_user_ns = less(after.cpu_user_ns, before.cpu_user_ns);
  out.cpu_system_ns = less(after.cpu_system_ns, before.cpu_system_ns);
  out.read_bytes = less(after.read_bytes, before.read_bytes);
  out.write_bytes = less(after.write_bytes, before.write_bytes);
  return out;
}

}  // namespace

RunState::RunState(std::shared_ptr<ClientState> owner, std::string_view job_name, RunOptions run_options)
    : client(std::move(owner)),
      options(std::move(run_options)),
      job(cleaned(*client, clean_job, job_name)),
      version(options.version.empty() ? std::string()
                                      : cleaned(*client, clean_text, options.version, limits::text_bytes_max)),
      id(chosen_id(*client, options.id, client->clock.now().wall)),
      id_text(id.text()),
      parent_id(options.parent_id.empty() ? client->parent_id : Uuid::parse(options.parent_id).value_or(Uuid{})),
      started(start_of(*client, options)),
      past(options.started_at.has_value()),
      generation(client->generation),
      usage_before_(past ? Usage{} : usage_now()),
      live_(generation) {}

RunState::~RunState() { delete steps_.load(std::memory_order_acquire); }

// Throws without memory: then the run was never begun, and nobody has heard of it.
void RunState::begin() {
  {
    const Lock lock(mutex_);
    client->opened(shared_from_this());
    if (past) return;
    try {
      record(State::kRunning, started);
    } catch (...) {
      live_.store(0, std::memory_order_relaxed);
      client->ended(this);
      throw;
    }
  }
  if (options.scheduled_at && started.wall - nanos(*options.scheduled_at) > options.grace.count())
    call(HookKind::kDelay, {}, "started late", State::kRunning);
}

void RunState::end(const Ending& ending) noexcept {
  if (!client->active()) return;  // also: in a forked child, whose copies do nothing
  Ended result;
  {
    const Lock lock(mutex_);
    if (ended()) return;
    result = record_end(ending);
    live_.store(0, std::memory_order_relaxed);
  }
  client->ended(this);
  if (result.state == State::kFailed && !result.told) call(HookKind::kFailure, {}, result.message, result.state);
}

RunState::Ended RunState::record_end(const Ending& ending) noexcept {
  Ended result;
  result.told = failure_kind_ == FailureKind::kReported;  // its hook was called by fail()
  for (int tries = 0; tries < kEndTries; ++tries) {
    try {
      result.state = final_state(ending);
      record(result.state, client->clock.now());
      result.message = failure_message_;
      break;
    } catch (...) {  // no memory
    }
  }
  return result;
}

State RunState::final_state(const Ending& ending) {
  if (ending.exit_status && !exit_code_) exit_code_ = *ending.exit_status;
  if (failure_kind_ != FailureKind::kNone) return State::kFailed;
  if (ending.exception) {
    failure_kind_ = FailureKind::kException;
    failure_message_ = kExceptionMessage;
    return State::kFailed;
  }
  if (exit_code_.value_or(0) != 0) {
    failure_kind_ = FailureKind::kExitCode;
    failure_message_ = "exit code " + std::to_string(*exit_code_);
    return State::kFailed;
  }
  return canceled_ ? State::kCanceled : State::kSucceeded;
}

void RunState::snapshot() noexcept {
  quietly([&] {
    const Lock lock(mutex_);
    if (!ended()) record(State::kRunning, client->clock.now());
  });
}

// Puts the whole run so far into the journal in place of what stood there. A past run is recorded once, at its end.
void RunState::record(State state, const TimePoint& now) {
  if (!client->active() || (past && state == State::kRunning)) return;
  Snapshot now_known = describe(state, now);
  now_known.revision = ++revision_;
  last_snapshot_ = now.steady;
  bool cut = false;
  const std::string bytes = encode(now_known, &cut);
  for (const auto& [path, totals] : now_known.steps) cut = cut || totals.lost != 0;
  if (cut) client->count_cut();
  const journal::Sequence sequence = client->record(bytes, state != State::kRunning, last_record_);
  if (sequence != 0) last_record_ = sequence;
}

Snapshot RunState::describe(State state, const TimePoint& now) {
  Snapshot out;
  out.id = id;
  out.parent_id = parent_id;
  out.job = job;
  out.version = version;
  out.state = state;
  out.attempt = std::max(options.attempt, 1U);
  out.started_at = started.wall;
  if (options.scheduled_at) out.scheduled_at = nanos(*options.scheduled_at);
  if (state != State::kRunning) {
    out.finished_at = finished_at_.value_or(now.wall);
    out.duration = past || finished_at_ ? *out.finished_at - started.wall : now.steady - started.steady;
    out.duration = std::max<Nanos>(*out.duration, 0);
    out.finished_at = std::max(*out.finished_at, started.wall);
  }
  out.exit_code = exit_code_;
  out.failure_kind = failure_kind_;
  out.failure_message = failure_message_;
  out.labels = &labels_;
  describe_numbers(out);
  describe_steps(out);
  out.dropped = client->dropped();
  if (!past) describe_usage(out);
  return out;
}

void RunState::describe_numbers(Snapshot& out) {
  const Lock lock(numbers_mutex_);
  if (progress_) out.progress = progress_->get();
  progress_untold_ = false;
  // Names stay where they are for as long as the run does.
  for (const auto& [name, value] : counters_) out.counters.emplace_back(name, value.get());
}

void RunState::describe_steps(Snapshot& out) const {
  const StepTable* table = steps_.load(std::memory_order_acquire);
  if (table == nullptr) return;
  for (const auto& node : table->nodes) {
    cells::StepTotals totals = node->totals();
    if (totals.count != 0) out.steps.emplace_back(node->path, std::move(totals));
  }
}

// What this process is and used; of a past run it knows nothing.
void RunState::describe_usage(Snapshot& out) const {
  out.program = &client->program;
  out.usage = difference(usage_now(), usage_before_);
}

void RunState::label(std::string_view key, std::string_view value) noexcept {
  quietly([&] {
    if (ended() || !client->active()) return;
    std::string clean_key = cleaned(*client, clean_name, key, limits::label_key_bytes_max, '\0');
    std::string clean_value = cleaned(*client, clean_text, value, limits::label_value_bytes_max);
    const Lock lock(mutex_);
    if (labels_.size() >= limits::label_count_max && labels_.find(clean_key) == labels_.end())
      return client->count_cut();
    labels_.insert_or_assign(std::move(clean_key), std::move(clean_value));
    record(State::kRunning, client->clock.now());
  });
}

void RunState::count(std::string_view name, double delta) noexcept {
  quietly([&] {
    if (ended() || !std::isfinite(delta) || !client->active()) return;
    const Lock lock(numbers_mutex_);
    auto found = counters_.find(name);
    if (found == counters_.end()) {
      std::string clean = cleaned(*client, clean_name, name, limits::counter_name_bytes_max, '\0');
      if (counters_.size() >= limits::counter_count_max && counters_.find(clean) == counters_.end())
        return client->count_cut();
      const cells::AreaName area{cells::AreaKind::kCounter, 0, 0, id, clean};
      found = counters_.try_emplace(clean, client->journal(), area).first;
    }
    if (const double sum = found->second.get() + delta; std::isfinite(sum)) found->second.set(sum);
  });
}

void RunState::progress(double fraction) noexcept {
  quietly([&] {
    if (ended() || std::isnan(fraction) || !client->active() || set_progress(fraction)) return;
    const Lock lock(mutex_);
    record(State::kRunning, client->clock.now());
  });
}

bool RunState::progress_is_news() const {
  const Lock lock(numbers_mutex_);
  return progress_untold_;
}

// False where it does not lie in the journal yet.
bool RunState::set_progress(double fraction) {
  const Lock lock(numbers_mutex_);
  if (!progress_) progress_.emplace(client->journal(), cells::AreaName{cells::AreaKind::kProgress, 0, 0, id, {}});
  progress_->set(std::clamp(fraction, 0.0, 1.0));
  progress_untold_ = true;
  return progress_->in_journal();
}

void RunState::fail(std::string_view message) noexcept {
  bool first = false;
  std::string clean;
  quietly([&] {
    if (ended() || !client->active()) return;
    {
      const Lock lock(mutex_);
      first = failure_kind_ == FailureKind::kNone;
      if (!first) return;
      failure_kind_ = FailureKind::kReported;  // though there may be no memory to say why
    }
    clean = cleaned(*client, clean_text, message, limits::failure_message_bytes_max);
    const Lock lock(mutex_);
    failure_message_ = clean;
    record(State::kRunning, client->clock.now());
  });
  if (first) call(HookKind::kFailure, {}, clean, State::kRunning);
}

void RunState::cancel() noexcept {
  if (!client->active()) return;
  const Lock lock(mutex_);
  canceled_ = true;
}

void RunState::exit_code(int code) noexcept {
  if (!client->active()) return;
  const Lock lock(mutex_);
  exit_code_ = code;
}

void RunState::finish_at(Nanos wall) noexcept {
  if (!client->active()) return;
  const Lock lock(mutex_);
  finished_at_ = wall;
}

void RunState::step_failed(const StepNode& step, std::string_view message) noexcept {
  if (!live() || !client->active()) return;  // in a forked child no lock of the parent's may be taken
  quietly([&] {
    call(HookKind::kFailure, step.path, cleaned(*client, clean_text, message, limits::failure_message_bytes_max),
         State::kRunning);
  });
}

StepNode* RunState::step(const StepNode* parent, std::string_view name) noexcept {
  if (ended() || !client->active()) return nullptr;
  StepNode* found = nullptr;
  quietly([&] {
    if (const StepTable* table = steps_.load(std::memory_order_acquire)) found = find_step(*table, parent, name);
    if (found != nullptr) return;
    std::string clean = cleaned(*client, clean_name, name, limits::step_path_bytes_max, '/');
    if (parent != nullptr) clean = parent->path + "/" + clean;
    if (clean.size() > limits::step_path_bytes_max) return client->count_cut();
    found = make_step(parent, std::move(clean));
  });
  return found;
}

std::size_t RunState::list_of(const StepNode* parent, std::string_view name) noexcept {
  const std::uint64_t salt = parent == nullptr ? 0 : parent->uid * 0x9e3779b97f4a7c15U;
  return (std::hash<std::string_view>{}(name) ^ salt) % kStepLists;
}

// Finds by the last part of the path. Any thread, without a lock: lists only ever grow, at their front.
StepNode* RunState::find_step(const StepTable& table, const StepNode* parent, std::string_view name) noexcept {
  const std::size_t prefix = parent == nullptr ? 0 : parent->path.size() + 1;
  StepNode* node = table.lists[list_of(parent, name)].load(std::memory_order_acquire);
  while (node != nullptr && (node->parent != parent || std::string_view(node->path).substr(prefix) != name))
    node = node->next_of_hash;
  return node;
}

StepNode* RunState::make_step(const StepNode* parent, std::string path) {
  const Lock lock(mutex_);
  StepTable* table = steps_.load(std::memory_order_relaxed);
  if (table == nullptr) {
    table = new StepTable;
    steps_.store(table, std::memory_order_release);
  }
  const StepHome home{client->clock, client->journal(), id, client->generation};
  const std::string_view name = std::string_view(path).substr(parent == nullptr ? 0 : parent->path.size() + 1);
  if (StepNode* found = find_step(*table, parent, name)) return found;
  if (table->nodes.size() >= limits::step_count_max) {
    client->count_cut();
    return nullptr;
  }
  auto& list = table->lists[list_of(parent, name)];
  table->nodes.push_back(std::make_unique<StepNode>(parent, std::move(path), home));
  StepNode* const made = table->nodes.back().get();
  made->next_of_hash = list.load(std::memory_order_relaxed);
  list.store(made, std::memory_order_release);
  return made;
}

void RunState::make_room() noexcept {
  const StepTable* const table = steps_.load(std::memory_order_acquire);
  if (table == nullptr) return;
  const Lock lock(mutex_);
  for (const auto& node : table->nodes) node->make_room();
}

void RunState::look(const TimePoint& now) noexcept {
  if (ended()) return;
  make_room();
  if (past) return;
  const Duration so_far = elapsed(now);
  bool expected_passed = false;
  bool max_passed = false;
  bool due = false;
  {
    const Lock lock(mutex_);
    expected_passed =
        !told_expected_ && options.expected_duration > Duration::zero() && so_far > options.expected_duration;
    max_passed = !told_max_ && options.max_duration > Duration::zero() && so_far > options.max_duration;
    told_expected_ = told_expected_ || expected_passed;
    told_max_ = told_max_ || max_passed;
    const Nanos interval = client->options.snapshot_interval.count();
    due = now.steady - last_snapshot_ >= (progress_is_news() ? std::min(interval, kProgressInterval) : interval);
  }
  if (due) snapshot();
  if (expected_passed) call(HookKind::kDelay, {}, "still running after its expected duration", State::kRunning);
  if (max_passed) call(HookKind::kDelay, {}, "still running after its maximum duration", State::kRunning);
}

Duration RunState::elapsed(const TimePoint& now) const noexcept {
  return Duration(past ? 0 : now.steady - started.steady);
}

void RunState::call(HookKind kind, std::string_view step, std::string_view message, State state) noexcept {
  const bool failure = kind == HookKind::kFailure;
  if (!(failure ? client->options.on_failure : client->options.on_delay) &&
      !(failure ? options.on_failure : options.on_delay))
    return;
  quietly([&] {
    client->call(
        {kind, shared_from_this(), std::string(step), std::string(message), state, elapsed(client->clock.now())});
  });
}

RunInfo RunState::info(const HookCall& call) const {
  RunInfo out;
  out.job = job;
  out.run_id = id_text;
  out.step = call.step;
  out.message = call.message;
  out.state = call.state;
  out.started_at = WallTime(std::chrono::duration_cast<WallTime::duration>(Duration(started.wall)));
  out.elapsed = call.elapsed;
  if (options.scheduled_at) out.start_delay = Duration(started.wall - nanos(*options.scheduled_at));
  return out;
}

}  // namespace kleptometrics::internal
