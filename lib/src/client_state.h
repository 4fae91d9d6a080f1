// What a Client is made of: the journal that job threads write, the runs that are open, and one worker thread that
// takes snapshots, calls hooks and ships. Shared by the Client, its runs and the worker, so that whoever lives longest
// finds it.
//
// After fork() the child's copy is inert: active() is false there and nothing else of it may be touched, since a
// lock may have been held by a thread that the child does not have.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kleptometrics/kleptometrics.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/uuid.h"
#include "lib/journal/journal.h"
#include "lib/src/program.h"
#include "lib/src/shipper.h"
#include "lib/src/transport.h"

namespace kleptometrics::internal {

enum class HookKind { kFailure, kDelay };

// A call of hooks on its way to the worker; owns what RunInfo will show.
struct HookCall {
  HookKind kind = HookKind::kFailure;
  std::shared_ptr<RunState> run;
  std::string step, message;
  State state = State::kRunning;
  Duration elapsed{};
};

// Kinds of trouble, each told to on_error at most once a minute.
enum class Trouble { kSpool, kDelivery, kDropped, kHook, kEndpoint };
inline constexpr std::size_t kTroubles = 5;

struct ClientState : std::enable_shared_from_this<ClientState> {
  // Replaced in tests; null: the real thing.
  struct Seams {
    const Clock* clock = nullptr;
    std::unique_ptr<Transport> transport;
    bool thread = true;  // false: a test turns the worker by hand
  };

  // Null only without memory, or if KLEPTO_DISABLED=1.
  static std::shared_ptr<ClientState> open(ClientOptions options, Seams seams) noexcept;
  ClientState(ClientOptions options, Seams seams);
  ~ClientState();

  // --- job threads; all noexcept and without waiting ---
  bool active() const noexcept;
  // Puts a snapshot into the journal; 0 if it was dropped.
  journal::Sequence record(std::string_view payload, bool terminal, journal::Sequence supersedes) noexcept;
  void opened(const std::shared_ptr<RunState>& run);
  void ended(const RunState* run) noexcept;
  void call(HookCall call) noexcept;
  void trouble(Trouble kind, std::string_view message) noexcept;
  void count_cut() noexcept { ++cut_; }
  // Where cells of steps, counters and progress find room. Not null once open() has returned.
  journal::Writer& journal() noexcept { return *journal_; }
  // Snapshots lost so far.
  std::uint64_t dropped() const noexcept { return journal_->dropped(); }
  journal::Sequence last_recorded() const noexcept { return last_sequence_.load(); }

  // --- whoever holds the client ---
  bool flush(Duration timeout) noexcept;
  ClientStats stats() const noexcept;
  // Nothing is recorded from now on; waits at most `timeout` for what is pending, and for hooks. Removes the journal if
  // it is empty.
  void close(Duration timeout) noexcept;
  // Ends all open runs as a process does that calls exit(status).
  void exit_runs(int status) noexcept;

  // --- the worker ---
  // One turn: hooks, snapshots that are due, a push. `hurry`: without waiting out the back-off.
  Shipper::Turn turn(bool hurry);

  const ClientOptions options;
  const Clock& clock;
  const Program program;
  const Uuid parent_id;                     // of KLEPTO_PARENT_ID
  const std::uint64_t generation;           // of the process that made it (lib/base/fork.h)
  ClientState* inherited_before = nullptr;  // see own.h

 private:
  static void work(std::shared_ptr<ClientState> self) noexcept;
  void start_worker();
  bool loop_once();
  void visit_runs();
  void call_hooks();
  void call_errors();
  void call_hook(const Hook& hook, const HookCall& call);
  std::vector<std::shared_ptr<RunState>> open_runs() const;

  struct Told {
    std::string message;        // waiting to be told
    std::uint64_t times = 0;    // since it was told last
    std::optional<Nanos> last;  // steady, when it was told
  };

  const std::unique_ptr<Transport> transport_;
  std::unique_ptr<journal::Writer> journal_;
  std::unique_ptr<Shipper> shipper_;
  std::atomic<bool> closed_{false};     // nothing is recorded any more
  std::atomic<bool> abandoned_{false};  // nobody waits for the worker any more: it must not call into the host
  std::atomic<std::uint64_t> runs_{0}, cut_{0}, last_sequence_{0}, dropped_told_{0};

  mutable Mutex mutex_;
  mutable Condition changed_;  // stop, hurry, a turn done
  std::map<const RunState*, std::weak_ptr<RunState>> open_ KLEPTO_GUARDED_BY(mutex_);
  std::deque<HookCall> calls_ KLEPTO_GUARDED_BY(mutex_);
  std::array<Told, kTroubles> told_ KLEPTO_GUARDED_BY(mutex_);
  std::string last_error_ KLEPTO_GUARDED_BY(mutex_);
  bool stop_ KLEPTO_GUARDED_BY(mutex_) = false;
  bool hurry_ KLEPTO_GUARDED_BY(mutex_) = false;
  bool working_ KLEPTO_GUARDED_BY(mutex_) = false;
};

}  // namespace kleptometrics::internal
