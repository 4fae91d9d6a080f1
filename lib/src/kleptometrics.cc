// The public classes: thin handles over the state behind them (run_state.h, client_state.h). A handle without state,
// moved from or disabled, does nothing.
#include "kleptometrics/kleptometrics.h"

#include <exception>
#include <utility>

#include "lib/base/fork.h"
#include "lib/src/client_state.h"
#include "lib/src/own.h"
#include "lib/src/run_state.h"
#include "lib/src/step_node.h"
#include "lib/src/ticks.h"

namespace kleptometrics {
namespace {

using internal::clock_kind;
using internal::ClockKind;
using internal::elapsed_nanos;
using internal::read_clock;
using internal::RunState;
using internal::StepNode;
using internal::this_slot;
using internal::ThreadCell;

std::shared_ptr<RunState> begin(const std::shared_ptr<internal::ClientState>& client, std::string_view job,
                                RunOptions options) noexcept {
  if (client == nullptr || !client->active()) return nullptr;
  const internal::NotCancelled not_cancelled;  // getrandom() is a place where a thread may be
  try {
    const std::shared_ptr<RunState> made(new RunState(client, job, std::move(options)),
                                         internal::DeleteOwn<RunState>());
    made->begin();
    return made;
  } catch (...) {  // no memory: the job goes on without being timed
    return nullptr;
  }
}

[[gnu::noinline]] void add_long(ThreadCell& cell, std::uint64_t ticks, bool failed) noexcept {
  cell.cell.add(elapsed_nanos(ClockKind::kTicks, 0, ticks >> 63U != 0 ? 0 : ticks), failed);
}

}  // namespace

// --- Client ---

Client::Client(ClientOptions options) noexcept : state_(internal::ClientState::open(std::move(options), {})) {}
Client::Client(std::shared_ptr<internal::ClientState> state) noexcept : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  if (state_ != nullptr) state_->close(state_->options.flush_timeout);
  state_ = std::move(other.state_);
  return *this;
}

Client::~Client() {
  if (state_ != nullptr) state_->close(state_->options.flush_timeout);
}

bool Client::flush(Duration timeout) noexcept { return state_ == nullptr || state_->flush(timeout); }
ClientStats Client::stats() const noexcept { return state_ == nullptr ? ClientStats{} : state_->stats(); }

// --- Run ---

Run::Run(std::string_view job, RunOptions options) noexcept : Run(Client::process(), job, std::move(options)) {}

Run::Run(Client& client, std::string_view job, RunOptions options) noexcept
    : state_(begin(client.state_, job, std::move(options))), exceptions_(std::uncaught_exceptions()) {}

Run::Run(Run&& other) noexcept : state_(std::move(other.state_)), exceptions_(other.exceptions_) {}

Run& Run::operator=(Run&& other) noexcept {
  if (this == &other) return *this;
  end();
  state_ = std::move(other.state_);
  exceptions_ = other.exceptions_;
  return *this;
}

Run::~Run() {
  if (state_ != nullptr) state_->end({std::uncaught_exceptions() > exceptions_, std::nullopt});
}

void Run::end() noexcept {
  if (state_ != nullptr) state_->end({false, std::nullopt});
}

Step Run::step(std::string_view name) noexcept {
  return {state_, state_ == nullptr ? nullptr : state_->step(nullptr, name)};
}

StepTimer Run::step_timer(std::string_view name) noexcept {
  return {state_, state_ == nullptr ? nullptr : state_->step(nullptr, name)};
}

Run& Run::label(std::string_view key, std::string_view value) noexcept {
  if (state_ != nullptr) state_->label(key, value);
  return *this;
}

Run& Run::count(std::string_view name, double delta) noexcept {
  if (state_ != nullptr) state_->count(name, delta);
  return *this;
}

Run& Run::progress(double fraction) noexcept {
  if (state_ != nullptr) state_->progress(fraction);
  return *this;
}

void Run::fail(std::string_view message) noexcept {
  if (state_ != nullptr) state_->fail(message);
}

void Run::cancel() noexcept {
  if (state_ != nullptr) state_->cancel();
}

void Run::exit_code(int code) noexcept {
  if (state_ != nullptr) state_->exit_code(code);
}

void Run::finish_at(WallTime finished_at) noexcept {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  if (state_ != nullptr) state_->finish_at(duration_cast<nanoseconds>(finished_at.time_since_epoch()).count());
}

std::string_view Run::id() const noexcept { return state_ == nullptr ? std::string_view() : state_->id_text; }

// --- Step ---

Step::Step(std::shared_ptr<RunState> run, StepNode* node) noexcept
    : run_(node == nullptr ? nullptr : std::move(run)), node_(node), exceptions_(std::uncaught_exceptions()) {
  if (node_ == nullptr) return;
  clock_ = clock_kind(node_->clock);
  begin_ = read_clock(clock_, node_->clock);
}

Step::Step(Step&& other) noexcept
    : run_(std::move(other.run_)),
      node_(std::exchange(other.node_, nullptr)),
      begin_(other.begin_),
      exceptions_(other.exceptions_),
      clock_(other.clock_),
      failed_(other.failed_) {}

Step& Step::operator=(Step&& other) noexcept {
  if (this == &other) return *this;
  end();
  run_ = std::move(other.run_);
  node_ = std::exchange(other.node_, nullptr);
  begin_ = other.begin_;
  exceptions_ = other.exceptions_;
  clock_ = other.clock_;
  failed_ = other.failed_;
  return *this;
}

Step::~Step() {
  if (node_ != nullptr && !failed_ && std::uncaught_exceptions() > exceptions_)
    fail("an exception left the scope of the step");
  end();
}

void Step::end() noexcept {
  StepNode* node = std::exchange(node_, nullptr);
  // A forked child's copy of an execution is not the child's to add.
  if (node != nullptr && node->home.generation == fork_generation()) {
    // Without memory for a cell it is lost, and counted by its node.
    const std::uint64_t now = read_clock(clock_, node->clock);
    if (ThreadCell* const cell = node->cell()) cell->cell.add(elapsed_nanos(clock_, begin_, now), failed_);
  }
  run_.reset();
}

void Step::fail(std::string_view message) noexcept {
  if (node_ == nullptr || std::exchange(failed_, true)) return;
  run_->step_failed(*node_, message);
}

Step Step::step(std::string_view name) noexcept { return {run_, node_ == nullptr ? nullptr : run_->step(node_, name)}; }

StepTimer Step::step_timer(std::string_view name) noexcept {
  return {run_, node_ == nullptr ? nullptr : run_->step(node_, name)};
}

// --- StepTimer ---

StepTimer::StepTimer(std::shared_ptr<RunState> run, StepNode* node) noexcept
    : run_(node == nullptr ? nullptr : std::move(run)), node_(node) {}
StepTimer::StepTimer(StepTimer&& other) noexcept
    : run_(std::move(other.run_)), node_(std::exchange(other.node_, nullptr)) {}

StepTimer& StepTimer::operator=(StepTimer&& other) noexcept {
  if (this == &other) return *this;
  run_ = std::move(other.run_);
  node_ = std::exchange(other.node_, nullptr);
  return *this;
}

StepTimer::~StepTimer() = default;

// The way of a step in a hot loop. What is seldom needed is called as the last act, so that the compiler saves no
// registers for it, and what must be loaded is loaded side by side: the clock waits for it.
void StepTimer::begin(Scope* scope) noexcept {
  if (node_ == nullptr || !run_->live()) return;
  ThreadCell* const cell = node_->remembered_cell();
  if (cell == nullptr) return scope->begin_first(node_);
  if (clock_kind(node_->clock) != ClockKind::kTicks) return scope->begin_by_clock(node_, cell);
  scope->begin_ = internal::ticks::now();
  scope->cell_ = cell;
  scope->exceptions_ = *this_slot->uncaught;
  scope->clock_ = ClockKind::kTicks;
}

void StepTimer::Scope::end() noexcept {
  if (clock_ != ClockKind::kTicks) return end_by_clock();
  const std::uint64_t passed = internal::ticks::now() - begin_;
  failed_ = failed_ || *this_slot->uncaught > exceptions_;
  if (cell_->generation != fork_generation()) return;  // a forked child's copy is not the child's to add
  if (passed >= internal::ticks::kShort) return add_long(*cell_, passed, failed_);  // or negative
  cell_->cell.add(internal::ticks::short_to_nanos(passed), failed_);
}

[[gnu::cold]] void StepTimer::Scope::begin_first(StepNode* node) noexcept {
  ThreadCell* const cell = node->cell();
  if (cell == nullptr) return;
  cell->cell.prepare();
  cell_ = cell;
  exceptions_ = *this_slot->uncaught;
  clock_ = clock_kind(node->clock);
  begin_ = read_clock(clock_, node->clock);
}

void StepTimer::Scope::begin_by_clock(const StepNode* node, ThreadCell* cell) noexcept {
  cell_ = cell;
  exceptions_ = *this_slot->uncaught;
  clock_ = node->clock == nullptr ? ClockKind::kSteady : ClockKind::kGiven;
  begin_ = read_clock(clock_, node->clock);
}

void StepTimer::Scope::end_by_clock() noexcept {
  const std::uint64_t now = read_clock(clock_, clock_ == ClockKind::kGiven ? cell_->node.clock : nullptr);
  if (cell_->generation != fork_generation()) return;
  cell_->cell.add(elapsed_nanos(ClockKind::kSteady, begin_, now), failed_ || *this_slot->uncaught > exceptions_);
}

StepTimer::Scope::Scope(Scope&& other) noexcept
    : cell_(std::exchange(other.cell_, nullptr)),
      begin_(other.begin_),
      exceptions_(other.exceptions_),
      clock_(other.clock_),
      failed_(other.failed_) {}

}  // namespace kleptometrics
