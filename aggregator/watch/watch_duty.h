// Of the aggregators that share a store one watches the jobs of all: it has the duty, which it holds in the store for
// some seconds at a time (Store::hold). It learns of everybody's commits from the store's list of changes, feeds them
// to a JobWatcher and to the leases of programs on other machines (contacts.h), and drops them from the list when what
// followed is recorded. The others only ask for the duty now and then: when its holder dies, or loses the store for
// longer than the duty lasts, one of them takes it, and reads from the store how far the watching had got.
//
//   committers ──> store ──changes──> JobWatcher ──RecordFindings──> committer
//                    └────hold         leases ──> verdicts ──────────────┘
//
// Who cannot renew stops by its own steady clock, before the duty can be another's, and forgets what it knew. What it
// had found and not recorded the next one finds again, under the same ids. What is seen on a machine (journals,
// processes, sockets) is no part of this: each aggregator watches its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/store/store.h"
#include "aggregator/watch/job_watcher.h"
#include "aggregator/watch/spool_watcher.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

class WatchDuty {
 public:
  struct Options {
    Nanos length = 10 * kNanosPerSecond;  // for which the duty is held at a time
    Nanos renew_every = 3 * kNanosPerSecond;
    Nanos margin = kNanosPerSecond;            // by which it is given up early
    Nanos load_length = 60 * kNanosPerSecond;  // for which it is taken at first: as long as loading may last
    Nanos look_every = kNanosPerSecond / 2;    // at what others have committed
    std::size_t changes_max = 5'000;           // read at once, about
    JobWatcher::Options watcher{};
  };
  static constexpr char kName[] = "watch";

  // Before the committer starts. Borrows all but the name; they outlive it. `holder` is a name that no other process
  // goes by.
  WatchDuty(Store& store, Committer& committer, const Clock& clock, SpoolWatcher& programs, std::string holder,
            Options options);
  ~WatchDuty();  // stop()
  WatchDuty(const WatchDuty&) = delete;
  WatchDuty& operator=(const WatchDuty&) = delete;

  // Starts the thread. Tests turn turn_once() by hand instead.
  void start();
  // Ends it, and gives the duty up, so that another need not wait. Before the committer's stop.
  void stop();
  // Takes or renews the duty when it is time; where it is held watches. When the next turn is to be, by the steady
  // clock.
  Nanos turn_once();

  // True while this process is to judge. Any thread.
  bool held() const { return clock_.steady() < held_until_; }

 private:
  void loop();
  bool wait(Nanos until);
  void nudge();

  void ask(Nanos now);
  absl::Status take_over();
  void lose();
  absl::Status watch(Nanos now);
  absl::Status feed(const Changes& changes);
  void feed_runs(std::vector<Run>& runs);
  absl::Status feed_spec(const std::string& job);

  Store& store_;
  Committer& committer_;
  const Clock& clock_;
  SpoolWatcher& programs_;
  const std::string holder_;
  const Options options_;

  // The turning thread's own.
  std::unique_ptr<JobWatcher> watcher_;  // while the duty is held
  Nanos ask_at_ = 0;                     // steady
  Nanos next_ = 0;                       // steady: of the next look
  Nanos turned_at_ = 0;                  // steady
  std::size_t limit_;                    // of changes: more while they cannot be dropped yet
  // What was fed last, and is not dropped yet.
  std::string fed_upto_;
  std::size_t fed_items_ = 0;
  bool told_unavailable_ = false;

  std::atomic<Nanos> held_until_{0};  // steady

  Mutex mutex_;
  Condition changed_;
  bool nudged_ KLEPTO_GUARDED_BY(mutex_) = false;
  bool stopping_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// HOST:PID:RANDOM, of this process.
std::string holder_name();

}  // namespace kleptometrics::aggregator
