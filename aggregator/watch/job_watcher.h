// Watches every job: feeds what is committed, and the time, to the rules (aggregator/rules), and has what they find
// recorded. Learns of runs from the committer as they are committed, sleeps until the next deadline of any job, and
// never looks at the clock in between.
//
//   committer ──committed()──> queue ──turn──> JobWatch of each job ──RecordFindings──> committer
//
// What the watches remember is saved with what they found, in one transaction. After a kill, or after more than the
// queue holds, it reads from the store what it may have missed: to be told twice changes nothing. What it then does not
// find is what was reported just then, had ended before, and was never seen running: history, as runs of yesterday are.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/ingest/witness.h"
#include "aggregator/rules/job_watch.h"
#include "aggregator/stats/expectation.h"
#include "aggregator/store/store.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

class JobWatcher final : public Witness {
 public:
  struct Options {
    std::size_t queued_max = 20'000;
    // What is learned from the runs of a job. Null: nothing is.
    std::function<absl::StatusOr<stats::Expectation>(const std::string& job)> learn{};
  };
  // After a time in which nobody listened, programs on other machines come again within as long, at most the client's
  // longest back-off: nothing is judged before they have told what they have to tell.
  static constexpr Nanos kBackOffMax = 30 * kNanosPerSecond;
  static constexpr Nanos kHoldSlack = 2 * kNanosPerSecond;

  // Borrows all three; they outlive it.
  JobWatcher(Store& store, Committer& committer, const Clock& clock, Options options);
  ~JobWatcher() override;  // stop()

  // Reads what the watches remember and what was committed since. Before the committer starts.
  absl::Status load();
  // Starts and ends the thread. Tests turn turn_once() by hand instead.
  void start();
  void stop();
  // Takes what has been committed, judges, and records. When the next deadline is, at the latest; an error is the
  // store's, and then what was found is recorded by a later turn.
  absl::StatusOr<Nanos> turn_once();
  // True if everything that it was told has been recorded, with what followed.
  bool up_to_date() const { return up_to_date_; }
  // From then on (steady clock) nothing is recorded any more, unless this is called again.
  void may_record_until(Nanos until) { may_record_until_ = until; }

  std::vector<std::size_t> choose(const std::vector<Run>& runs, Nanos now) override;
  void committed(std::vector<Run> runs, Nanos now) override;
  void specified(const std::string& job, const JobSpec& spec, Nanos now) override;

 private:
  // A snapshot of a run, or what a job is meant to be.
  struct Event {
    std::string job;
    Nanos at = 0;
    std::optional<rules::RunFacts> run{};
    stats::Counters counters{};  // of the run
    std::optional<JobSpec> spec{};
  };
  struct Watched {
    rules::JobWatch watch;
    std::optional<stats::Limits> learned{};
    std::optional<Nanos> learned_at{};  // steady clock
    std::optional<Nanos> deadline{};    // as it stands in deadlines_
  };
  using Deadline = std::pair<Nanos, std::string>;

  void loop();
  // True until it is to end. Until something has come, or the time.
  bool wait(Nanos until);
  std::vector<Event> take_queue(bool& missed);
  void push(Event event);
  Watched& watched(const std::string& job);
  void take(Event event);
  absl::Status catch_up();
  absl::Status take_settled(Nanos since);
  void judge(Nanos now);
  void judge(const std::string& job, Watched& watched, Nanos now);
  void learn(const std::string& job, Watched& watched);
  absl::Status record(Nanos now);

  Store& store_;
  Committer& committer_;
  const Clock& clock_;
  const Options options_;

  // The turning thread's own; before start() that of load().
  std::map<std::string, Watched> jobs_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;  // some are outdated
  std::set<std::string> touched_;                                                   // to be judged, and saved
  std::set<std::string> unsaved_;                                                   // judged, and to be saved
  rules::Findings found_;                                                           // not recorded yet
  Nanos seen_ = 0;             // what was committed before, or soon after, has been taken (wall clock)
  Nanos judge_from_ = 0;       // steady clock
  bool behind_ = false;        // the queue was full, and what it lost has not been read from the store yet
  Nanos catch_up_from_ = 0;    // steady clock
  std::size_t may_learn_ = 0;  // of so many jobs, in this turn
  bool up_to_date_ = false;
  Nanos may_record_until_ = std::numeric_limits<Nanos>::max();

  Mutex mutex_;
  Condition changed_;
  std::vector<Event> queue_ KLEPTO_GUARDED_BY(mutex_);
  bool missed_ KLEPTO_GUARDED_BY(mutex_) = false;  // the queue was full
  bool stopping_ KLEPTO_GUARDED_BY(mutex_) = false;
  // Jobs of which old runs matter, too.
  absl::flat_hash_set<std::string> known_ KLEPTO_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
