// The one door by which state changes. Handlers submit commands and wait; ONE thread groups what is waiting,
// commits it to the store in one transaction, then releases the waiting handlers: acknowledged means
// committed, and many small pushes share one fsync.
//
// Also decides what only a single writer can: the next revision of a run reported over plain HTTP, what a
// patch of such a run means (resolve.h), and how many new jobs may appear.
//
// main makes one over the store, starts it before the handlers and stops it after them: when it is destroyed,
// nobody may be waiting in submit().
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/ingest/command.h"
#include "aggregator/ingest/counts.h"
#include "aggregator/ingest/witness.h"
#include "aggregator/store/store.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

class Committer {
 public:
  struct Options {
    std::size_t queued_runs_max = 100'000;  // waiting commands; beyond: Unavailable
    std::size_t group_runs_max = 20'000;    // commands in one transaction
    std::size_t jobs_max = 10'000;
    std::size_t new_jobs_per_minute_max = 1'000;
  };

  // Borrows both; they outlive it. Reads the known jobs from the store; its error, if it cannot.
  static absl::StatusOr<std::unique_ptr<Committer>> create(Store& store, const Clock& clock, Options options);
  ~Committer();  // stop()
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // From now on the witness, which is borrowed, is told of what is committed. Before start().
  void tell(Witness& witness) { witness_ = &witness; }

  // From now on `done` is called behind every group that was committed, on the committing thread: it is to note that
  // and to return. Before start().
  void after_commits(std::function<void()> done) { after_commits_ = std::move(done); }

  // start(), stop() and run_once() are for the thread that owns the committer.
  // Starts the thread. Tests turn run_once() by hand instead. Once.
  void start();
  // Commits what is waiting, then ends the thread; later submissions are Unavailable. May be called again.
  void stop();
  // Commits one group if anything is waiting; true if it did. Only without start(), which keeps house beside.
  bool run_once();

  // Any thread. Waits until the commands are committed; one outcome a command, in order. All of them are in
  // one transaction, even where they are more than a group holds. Unavailable when the queue is full, the
  // store is for now (disk full), or stopping: nothing of it was applied, and it is worth sending again.
  // Another error: fatal_error(). No commands: no wait, no outcomes.
  absl::StatusOr<std::vector<Outcome>> submit(std::vector<Command> commands);

  // Set after an error of the store that must not be retried (DataLoss, Internal): nothing is committed any
  // more, every submission gets this error, and the process should end. Any thread.
  absl::Status fatal_error() const;
  // What became of all submissions. Any thread.
  IngestCounts counts() const { return counts_.read(); }
  // Commands that were none, and so never submitted. Any thread.
  void note_rejected(std::uint64_t commands) { counts_.note_rejected(commands); }
  // Commands that wait for their group. Any thread.
  std::size_t queued_runs() const;

 private:
  struct Waiting;
  class Group;
  Committer(Store& store, const Clock& clock, Options options);
  void loop();
  bool wait_for_work();
  absl::Status wait_for(Waiting& waiting);
  absl::Status enqueue(Waiting& waiting) KLEPTO_REQUIRES(mutex_);
  std::vector<Waiting*> take_group();
  void release(const std::vector<Waiting*>& group, const absl::Status& status);
  static void release_one(Waiting& waiting, const absl::Status& status);
  absl::Status commit_group(const std::vector<Waiting*>& waiting);
  absl::Status try_group(const std::vector<Waiting*>& waiting);
  void note(const absl::Status& status);
  void maintain(bool idle);

  Store& store_;
  const Clock& clock_;
  const Options options_;

  AtomicIngestCounts counts_;

  mutable Mutex mutex_;
  Condition work_;  // signalled when something is queued, or stopping
  std::deque<Waiting*> queue_ KLEPTO_GUARDED_BY(mutex_);
  std::size_t queued_runs_ KLEPTO_GUARDED_BY(mutex_) = 0;
  bool stopping_ KLEPTO_GUARDED_BY(mutex_) = false;
  absl::Status fatal_ KLEPTO_GUARDED_BY(mutex_);

  // Used by the committing thread alone.
  absl::flat_hash_set<std::string> known_jobs_;
  std::deque<Nanos> new_job_times_;  // steady; within the last minute
  bool unavailable_ = false;         // the last commit failed for now
  Nanos maintained_at_ = 0;          // steady
  bool more_to_maintain_ = false;
  Witness* witness_ = nullptr;
  std::function<void()> after_commits_;

  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
