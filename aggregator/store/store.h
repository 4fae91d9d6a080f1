// Where runs are kept. One interface, every back end a leaf folder: deleting its folder and its line in
// open_store.cc removes it. The contract is semantic, not relational, and tests/aggregator/store/ proves
// it for every back end.
//
// What changes state (commit, put_job, record, maintain) is called by one thread, the committer; everything else by any
// thread at any time. A reader sees all of a commit or nothing of it, and everything that was acknowledged before it
// asked.
//
// A back end may be shared: several processes commit to it, each by its own committer, and all of the above holds among
// them. What they need to know of each other is at the end of the contract.
//
// Errors, everywhere: Unavailable = worth a retry (busy, disk full, server away: nothing was changed, or it is not
// known whether it was, and to do it again is right in both cases); DataLoss and Internal = the store cannot go on
// (after a failed fsync nothing is retried: exit and recover); FailedPrecondition = cannot be opened by this build
// (newer schema). Of run() alone: Unknown = what is stored of this run is damaged, of others it is not; lists leave
// such runs out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/findings.h"

namespace kleptometrics::aggregator {

enum class Applied {
  kAccepted,    // the stored state changed: the snapshot, the annotations, or both are newer
  kDuplicate,   // it did not: a repeat, or older
  kOtherJob,    // rejected: the id is known under another job
  kOtherStart,  // rejected: the id is known with another started_at
};

// Which runs a question is about. Empty members select everything; name the others: {.job = "import"}.
struct RunFilter {
  std::string job{};
  std::vector<State> states{};
  std::optional<Nanos> since{};  // started_at >= since
  std::optional<Nanos> until{};  // started_at < until
  std::string host{};
  std::string version{};
  std::string build_id{};
  std::vector<std::pair<std::string, std::string>> labels{};  // all must match
};
// True if the run is among those that the filter selects. Labels are the effective ones (model/run.h).
bool matches(const RunFilter& filter, const Run& run);

// Position in the order of lists: newest start first, larger id first among equal starts.
struct RunCursor {
  Nanos started_at = 0;
  Uuid id;
  bool operator==(const RunCursor&) const = default;
};
struct RunPage {
  std::vector<Run> runs;
  std::optional<RunCursor> next;  // position after the last of `runs`; absent when nothing is left
};

// What is known of a job without asking for its runs one by one.
struct JobHead {
  std::string name;
  JobSpec spec;
  std::optional<Run> last_run{};        // the newest start, without steps; absent: none is kept
  std::optional<State> last_verdict{};  // of the newest that succeeded, failed or crashed
  bool running = false;                 // a run of it has not ended
};

// A stretch of time (half-open, by started_at) that is to be added up, at the resolution at which it is whole: of
// hours and days `since` and `until` are the start of one (UTC); of all time they are not looked at. kRuns asks for
// the runs themselves, at the edges that are no whole hours.
struct Stretch {
  enum class By { kRuns, kHour, kDay, kAll } by = By::kAll;
  Nanos since = std::numeric_limits<Nanos>::min();
  Nanos until = std::numeric_limits<Nanos>::max();
};
struct SummaryRequest {
  std::string job{};                 // empty: of every job
  stats::Series series{};            // by kHour: durations alone
  std::vector<Stretch> stretches{};  // do not overlap
};
// Takes the pieces of a summary, in no particular order.
class Pieces {
 public:
  virtual ~Pieces() = default;
  // `start` of the hour or day, 0 of all time. One may come in several pieces: their merge is the whole. Of other
  // series than durations pieces hold values, and pieces of durations beside them, whose values are to be passed over,
  // counts.
  virtual void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) = 0;
  // A run that has ended.
  virtual void run(const Run& run) = 0;
};

// What housekeeping came to: see Store::maintain().
struct Maintenance {
  std::uint64_t expired = 0;  // runs removed
  bool more = false;          // to be called again soon
};

// What somebody found stored of a run when working out, from that, what to commit of it.
struct Basis {
  Uuid id;
  bool known = false;  // false: nothing was stored of it, and the rest is 0
  int rank = 0;
  std::uint64_t revision = 0;
  std::uint64_t annotations_revision = 0;
  bool operator==(const Basis&) const = default;
};
// `stored` may be null: nothing is.
Basis basis_of(const Uuid& id, const Run* stored);

// A run and its delays, of which no run has many.
struct RunAndDelays {
  std::optional<Run> run{};
  std::vector<Delay> delays{};
};
inline constexpr std::size_t kDelaysOfRunMax = 100;

// One entry of the list of changes: what was accepted of a run, as it was committed, or what a job is now meant to be.
struct Change {
  std::string job;
  std::optional<Run> run{};
  std::optional<JobSpec> spec{};  // one of the two
};
struct Changes {
  std::vector<Change> items;  // oldest commit first
  std::string upto;           // for drop_changes(); empty: there are none
  bool more = false;          // there are others behind them already
};

class Store {
 public:
  virtual ~Store() = default;

  // Applies the runs in order, all in one transaction, each by the merge orders of its two parts and at most once
  // whoever resends it to whomever. On OK everything is durable (to the degree of the back end) and visible, and the
  // answer has one entry a run. On an error nothing was applied. `now` (wall clock) is kept as the time of the commit.
  // `bases`: what some of the runs were worked out from. Where another process has changed one of those since, Aborted,
  // and nothing was applied: work it out again. A store that is not shared need not look at them.
  virtual absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now,
                                                      const std::vector<Basis>& bases = {}) = 0;
  // Replaces what the job is meant to be; makes the job if it is unknown.
  virtual absl::Status put_job(const std::string& name, const JobSpec& spec) = 0;
  // Keeps what was found, all of it or nothing, durably when it returns: see Findings. Makes jobs that are unknown.
  virtual absl::Status record(const Findings& findings) = 0;
  // Housekeeping, one slice of bounded length. Runs are removed that ended, and were committed, longer before `now`
  // than their job's retention; what they added to rollups stays, and so do their ids for kIdsOutlive longer, so that
  // a run sent again is refused and not counted again. Delays and alerts are removed kFindingsKept after they closed.
  // `idle`: nothing waits for a commit. By the committer's thread.
  virtual absl::StatusOr<Maintenance> maintain(Nanos now, bool idle) = 0;

  virtual absl::StatusOr<std::optional<Run>> run(const Uuid& id) = 0;
  // What run() and delays() say of one run: of a store on a server in one round trip.
  virtual absl::StatusOr<RunAndDelays> run_and_delays(const Uuid& id);
  // At most `limit` runs after `after` (absent: from the newest). Stable while new runs arrive: what is
  // listed once is not listed again, and what was there before is not left out. InvalidArgument if `limit` is
  // 0.
  virtual absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                       std::size_t limit) = 0;
  // Calls `visit` with every run of the filter, in no particular order. One consistent view, which is held
  // open meanwhile: `visit` is to be quick and not to call this store.
  virtual absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) = 0;
  // Gives `pieces` what the stretches add up to: every run that the store ever took and that has ended, once. One
  // consistent view; a reader that sees a run sees it here. `pieces` is to be quick and not to call this store.
  virtual absl::Status summarize(const SummaryRequest& request, Pieces& pieces) = 0;
  // All jobs, or the one of the name, sorted bytewise by name.
  virtual absl::StatusOr<std::vector<JobHead>> jobs(const std::string& name = {}) = 0;
  // The instant from which on no run of the job (empty: of any) has expired, so that kRuns is complete; the smallest
  // Nanos if none ever has.
  virtual absl::StatusOr<Nanos> complete_since(const std::string& job) = 0;
  // At most `limit` delays or alerts after `after` (absent: from the first), in the order of FindingCursor. Stable
  // while others open and these close. InvalidArgument if `limit` is 0.
  virtual absl::StatusOr<DelayPage> delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                           std::size_t limit) = 0;
  virtual absl::StatusOr<AlertPage> alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                           std::size_t limit) = 0;
  virtual absl::StatusOr<std::optional<Alert>> alert(const Uuid& id) = 0;
  // How many of those that the filter selects there are of each job and kind, without reading them.
  virtual absl::StatusOr<DelayCounts> delay_counts(const DelayFilter& filter) = 0;
  virtual absl::StatusOr<AlertCounts> alert_counts(const AlertFilter& filter) = 0;
  // What record() was last given of each job that has some, sorted by job: to be read at the start.
  virtual absl::StatusOr<std::vector<std::pair<std::string, std::string>>> watch_states() = 0;
  // OK, or why commits cannot work right now. Becomes OK again by itself where the cause can pass.
  virtual absl::Status ready() = 0;
  // Counts everything anew and compares it with the rollups. One sentence a difference, at most `differences_max`.
  virtual absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) = 0;

  // True if other processes may commit to it, too.
  virtual bool shared() const { return false; }
  // Takes or keeps, for `length` from now on, a duty that one process at a time has: true if `holder`, a name that no
  // other process goes by, has it now. By the clock of the server. Length 0 gives it up. Any thread.
  virtual absl::StatusOr<bool> hold(const std::string& duty, const std::string& holder, Nanos length);
  // The list of changes: what commits and put_job() changed, added in the same transaction, until somebody who passes
  // it on drops it. One reader at a time: who forwards what the store commits, or, of a shared store, who watches.
  // A shared store keeps it always; others from keep_changes() on, which is called before any commit or never.
  virtual absl::Status keep_changes();
  // The oldest: at least one if there are any, about `limit` at most (a commit is not split). Any thread.
  virtual absl::StatusOr<Changes> changes(std::size_t limit);
  // By the committer's thread; of a shared store by any. To drop twice changes nothing.
  virtual absl::Status drop_changes(const std::string& upto);
};
inline constexpr Nanos kIdsOutlive = 30 * stats::kDay;

// Opens the store that the URL names: `memory:` or `sqlite:PATH` (made if absent, or with `must_exist` NotFound; its
// folder must exist).
// InvalidArgument names what is wrong with the URL; FailedPrecondition: the file is no store of this build,
// or another process has it open; PermissionDenied and others: what the system said.
absl::StatusOr<std::unique_ptr<Store>> open_store(std::string_view url, bool must_exist = false);
// Writes a consistent copy of the store to a file, while another process may go on writing to it. InvalidArgument: the
// store keeps no file; AlreadyExists: the file is there; NotFound: there is no store.
absl::Status backup_store(std::string_view url, const std::string& path);

}  // namespace kleptometrics::aggregator
