// The one door by which state changes. Handlers submit commands and wait; ONE thread groups what is waiting,
// commits it to the store in one transaction, then releases the waiting handlers: acknowledged means
// committed, and many small pushes share one fsync.
//
// Also decides what only a single writer can: the next revision of a run reported over plain HTTP, what a patch
// of such a run means, and how many new jobs may appear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

// A snapshot by a reporter that keeps its own revisions: the client library, a forwarding aggregator, a
// verdict. Valid (model/run.h, validate).
struct ApplySnapshot {
  Run run;
};

// A run reported over plain HTTP as far as the sender gave it. What is absent (revision 0, started_at not
// given) is filled in from the stored run, or from the clock for a new one. `run.reporter` is kHttp.
struct ReportRun {
  Run run;
  bool started_at_given = false;
};

// Fields to merge into a run. Of a run owned by the client library, and of a terminal run, only
// labels and failure.message may be added to.
struct PatchRun {
  Uuid id;
  std::optional<State> state;
  std::optional<Nanos> finished_at;
  std::optional<Nanos> duration;
  std::optional<double> progress;
  std::optional<std::int32_t> exit_code;
  std::optional<FailureKind> failure_kind;
  std::optional<std::string> failure_message;
  std::optional<int> failure_signal;
  std::map<std::string, std::string, std::less<>> labels;    // added or replaced
  std::map<std::string, double, std::less<>> counters;       // set
};

using Command = std::variant<ApplySnapshot, ReportRun, PatchRun>;

// What became of one command. Exactly one of the four.
struct Outcome {
  enum class Kind {
    kAccepted,
    kDuplicate,
    kRejected,  // never to be sent again as it is: `field`, `detail`
    kDeferred,  // rejected for now, worth sending again later: `field`, `detail`
  };
  Kind kind = Kind::kAccepted;
  enum class Why { kNone, kInvalid, kConflict, kNotFound } why = Why::kNone;  // of a rejection
  std::string field;
  std::string detail;
  std::optional<Run> run;  // of ReportRun and PatchRun: the run as it now stands
  bool created = false;    // the run was unknown before
};

class Committer {
 public:
  struct Options {
    std::size_t queued_runs_max = 100'000;  // waiting commands; beyond: Unavailable
    std::size_t group_runs_max = 20'000;    // commands in one transaction
    std::size_t jobs_max = 10'000;
    std::size_t new_jobs_per_minute_max = 1'000;
  };

  // Borrows both; they outlive it. Reads the known jobs from the store.
  static absl::StatusOr<std::unique_ptr<Committer>> create(Store& store, const Clock& clock, Options options);
  ~Committer();  // stop()

  // Starts the thread. Tests turn run_once() by hand instead.
  void start();
  // Commits what is waiting, then ends the thread; later submissions are Unavailable.
  void stop();
  // Commits one group if anything is waiting; true if it did. Only without start().
  bool run_once();

  // Any thread. Waits until the commands are committed; one outcome a command, in order. Unavailable when the
  // queue is full, the store is for now (disk full), or stopping: nothing of it was applied.
  absl::StatusOr<std::vector<Outcome>> submit(std::vector<Command> commands);

  // Set after an error of the store that must not be retried (DataLoss, Internal): the process should end.
  absl::Status fatal_error() const;

 private:
  struct Waiting;
  struct Group;
  Committer(Store& store, const Clock& clock, Options options);
  void loop();
  void commit_group(std::vector<Waiting*>& group);

  Store& store_;
  const Clock& clock_;
  const Options options_;

  mutable absl::Mutex mutex_;
  std::deque<Waiting*> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_runs_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);

  // Used by the committing thread alone.
  absl::flat_hash_set<std::string> known_jobs_;
  std::deque<Nanos> new_job_times_;  // steady; within the last minute

  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
