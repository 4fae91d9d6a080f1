// One run while its program lives: what was said of it so far, and how that becomes a snapshot in the journal. Shared
// by the Run, its steps and timers, and (weakly) the worker, which snapshots it while it is open.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kleptometrics/kleptometrics.h"
#include "lib/base/fork.h"
#include "lib/base/mutex.h"
#include "lib/cells/number_cell.h"
#include "lib/src/client_state.h"
#include "lib/src/snapshot.h"
#include "lib/src/step_node.h"

namespace kleptometrics::internal {

// How the scope of a run was left.
struct Ending {
  bool exception = false;
  std::optional<int> exit_status;  // the process called exit(status) within the scope
};

// Any thread may call any member. All members are noexcept towards the job: where memory is short, what was to be
// recorded is left out.
struct RunState : std::enable_shared_from_this<RunState> {
  RunState(std::shared_ptr<ClientState> owner, std::string_view job_name, RunOptions run_options);
  ~RunState();

  void begin();  // first snapshot; once, right after construction
  void end(const Ending& ending) noexcept;
  void snapshot() noexcept;  // of a run still open, by the worker

  void label(std::string_view key, std::string_view value) noexcept;
  void count(std::string_view name, double delta) noexcept;
  void progress(double fraction) noexcept;
  void fail(std::string_view message) noexcept;
  void cancel() noexcept;
  void exit_code(int code) noexcept;
  void finish_at(Nanos wall) noexcept;
  void step_failed(const StepNode& step, std::string_view message) noexcept;

  // The step of that name within `parent` (null: the run itself), made when first asked for. Null beyond the limit
  // or once the run has ended.
  StepNode* step(const StepNode* parent, std::string_view name) noexcept;

  // Looks at the clock: is it time for a snapshot, has an expected or allowed duration passed?
  void look(const TimePoint& now) noexcept;
  bool ended() const noexcept { return live_.load(std::memory_order_relaxed) == 0; }
  // True while the run is open, in the process that made it.
  bool live() const noexcept { return live_.load(std::memory_order_relaxed) == fork_generation(); }
  RunInfo info(const HookCall& call) const;

  const std::shared_ptr<ClientState> client;
  const RunOptions options;
  const std::string job;
  const std::string version;
  const Uuid id;
  const std::string id_text;
  const Uuid parent_id;
  const TimePoint started;
  const bool past;                       // given as a whole, by started_at and finish_at()
  const std::uint64_t generation;        // of the process that made it
  RunState* inherited_before = nullptr;  // see own.h

 private:
  static constexpr std::size_t kStepLists = 64;  // a quarter of limits::step_count_max: they stay short
  struct StepTable {
    std::array<std::atomic<StepNode*>, kStepLists> lists{};  // by hash of the name, linked by next_of_hash
    std::vector<std::unique_ptr<StepNode>> nodes;            // in order of first use; under the run's mutex
  };

  struct Ended {
    State state = State::kSucceeded;
    bool told = false;  // the failure hook knows already
    std::string message;
  };

  void record(State state, const TimePoint& now) KLEPTO_REQUIRES(mutex_);
  bool set_progress(double fraction);
  bool progress_is_news() const;
  void make_room() noexcept;
  Ended record_end(const Ending& ending) noexcept KLEPTO_REQUIRES(mutex_);
  Snapshot describe(State state, const TimePoint& now) KLEPTO_REQUIRES(mutex_);
  void describe_numbers(Snapshot& out) KLEPTO_REQUIRES(mutex_);
  void describe_steps(Snapshot& out) const KLEPTO_REQUIRES(mutex_);
  void describe_usage(Snapshot& out) const KLEPTO_REQUIRES(mutex_);
  State final_state(const Ending& ending) KLEPTO_REQUIRES(mutex_);
  static std::size_t list_of(const StepNode* parent, std::string_view name) noexcept;
  static StepNode* find_step(const StepTable& table, const StepNode* parent, std::string_view name) noexcept;
  StepNode* make_step(const StepNode* parent, std::string path);
  void call(HookKind kind, std::string_view step, std::string_view message, State state) noexcept;
  Duration elapsed(const TimePoint& now) const noexcept;

  const Usage usage_before_;
  std::atomic<std::uint64_t> live_;         // generation of the process that made it; 0 once it has ended
  std::atomic<StepTable*> steps_{nullptr};  // made by the first step; owned

  mutable Mutex mutex_;
  std::map<std::string, std::string> labels_ KLEPTO_GUARDED_BY(mutex_);
  std::optional<std::int32_t> exit_code_ KLEPTO_GUARDED_BY(mutex_);
  std::optional<Nanos> finished_at_ KLEPTO_GUARDED_BY(mutex_);
  FailureKind failure_kind_ KLEPTO_GUARDED_BY(mutex_) = FailureKind::kNone;
  std::string failure_message_ KLEPTO_GUARDED_BY(mutex_);
  bool canceled_ KLEPTO_GUARDED_BY(mutex_) = false;
  bool told_expected_ KLEPTO_GUARDED_BY(mutex_) = false;
  bool told_max_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::uint64_t revision_ KLEPTO_GUARDED_BY(mutex_) = 0;
  journal::Sequence last_record_ KLEPTO_GUARDED_BY(mutex_) = 0;
  Nanos last_snapshot_ KLEPTO_GUARDED_BY(mutex_) = 0;  // steady

  // Of its own, and held for moments: whoever counts must not wait while a snapshot is encoded. Taken after mutex_.
  mutable Mutex numbers_mutex_;
  std::map<std::string, cells::NumberCell, std::less<>> counters_ KLEPTO_GUARDED_BY(numbers_mutex_);
  std::optional<cells::NumberCell> progress_ KLEPTO_GUARDED_BY(numbers_mutex_);
  bool progress_untold_ KLEPTO_GUARDED_BY(numbers_mutex_) = false;  // set since the last snapshot
};

}  // namespace kleptometrics::internal
