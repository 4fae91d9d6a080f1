// Passes on what this store commits to another aggregator, the centre, by the same push that programs use, which may be
// repeated. What is to be passed on stands in the store (Store::changes) since the commit that brought it, and goes
// when the centre has acknowledged it: a process that is killed, or a centre that is away, loses and doubles nothing.
//
//   committer ──commit──> store: runs, list of changes ──turn──> centre
//       ^───────────────────────DropChanges─────────────────┘
//
// Answers to the programs of this aggregator never wait for the centre. One push is on its way at a time, in the order
// of the commits; of a run that the backlog has several times the last goes. What the centre cannot take for now (new
// jobs beyond its limits) comes again behind the rest; what it will never take is counted, told of once a kind, and
// passed over. What jobs are meant to be stays with each aggregator.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/forward/back_off.h"
#include "aggregator/forward/transport.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "aggregator/wire/wire.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

// Since the start, but for `waiting`.
struct ForwardCounts {
  std::uint64_t sent = 0;      // runs that the centre has: it took them, or knew them
  std::uint64_t rejected = 0;  // that it will never take
  std::uint64_t put_off = 0;   // that it could not take then, each time
  std::uint64_t failures = 0;  // pushes without an answer, or with none that says what became of the runs
  std::uint64_t waiting = 0;   // runs and specifications in the list of changes
  Nanos last_success = 0;      // wall clock; 0: none yet
};

class Forwarder {
 public:
  struct Options {
    std::size_t read_runs = 5'000;  // of the list at once, about
    std::size_t push_runs_max = 5'000;
    std::size_t push_bytes_max = limits::body_bytes_max;
    std::uint64_t seed = 0;  // of the back-off
  };
  // What turn_once() answers when there is nothing to be done until more is committed.
  static constexpr Nanos kIdle = std::numeric_limits<Nanos>::max();

  // To the centre, for main: InvalidArgument where that is no endpoint; FailedPrecondition where others may commit to
  // the store, as they would pass on the same runs. Before the committer starts. Borrows what it is given.
  static absl::StatusOr<std::unique_ptr<Forwarder>> create(Store& store, Committer& committer, const Clock& clock,
                                                           const Centre& centre);
  // The same by any transport: `to` is what the log calls it. The store keeps its changes already.
  Forwarder(Store& store, Committer& committer, const Clock& clock, std::unique_ptr<Transport> transport,
            std::string to, const Options& options);
  ~Forwarder();  // stop()
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Starts the thread. Tests turn turn_once() by hand instead.
  void start();
  // Ends it: sends what it can within a tenth of a second, and leaves the rest in the store. Before the committer's
  // stop.
  void stop();
  // One push at most, or one step with what came of it. When the next is to be, by the steady clock.
  Nanos turn_once();

  // Any thread.
  ForwardCounts counts() const;

 private:
  // Some of the list, without what was replaced within it.
  struct Batch {
    std::vector<Run> runs;
    std::size_t sent = 0;  // of them, from the first on
    std::vector<Run> again;
    std::string upto;        // empty: there is no batch
    bool any_taken = false;  // of the runs, by the centre
  };

  void nudge();
  void loop();
  bool wait(Nanos until);
  bool leaving();

  absl::Status read();
  void push();
  void take(const wire::PushResult& result, std::size_t count);
  void reject(const Run& run, const std::string& field, const std::string& detail);
  void refused(const Reply& reply, std::size_t count);
  void failed(int kind, const std::string& why);
  void succeeded();
  void drop();

  Store& store_;
  Committer& committer_;
  const Clock& clock_;
  const std::unique_ptr<Transport> transport_;
  const std::string to_;
  const Options options_;

  // The turning thread's own.
  Batch batch_;
  std::size_t push_runs_;  // so many at once: fewer after the centre found a push too large
  BackOff back_off_, put_off_;
  Nanos not_before_ = 0;               // steady
  bool away_ = false;                  // the last push failed
  std::set<int> told_kinds_;           // of failures, since it is away
  std::set<std::string> told_faults_;  // of runs

  std::atomic<std::uint64_t> sent_{0}, rejected_{0}, deferred_{0}, failures_{0};
  std::atomic<Nanos> last_success_{0};

  Mutex mutex_;
  Condition changed_;
  bool nudged_ KLEPTO_GUARDED_BY(mutex_) = false;     // something was committed
  bool finishing_ KLEPTO_GUARDED_BY(mutex_) = false;  // to end when nothing is left to be done at once
  bool leaving_ KLEPTO_GUARDED_BY(mutex_) = false;    // to end now
  bool ended_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
