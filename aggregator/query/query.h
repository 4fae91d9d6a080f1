// Answers to questions, from the store. Queries never write. Handlers turn what stands here into JSON, one
// call a request; a Query holds nothing but the store that it borrows, so one serves all handlers.
//
// Statistics come from rollups where only a job and a stretch of time are asked for, so that they reach back beyond
// what is kept of single runs; with any other filter from the runs that are kept.
//
// An answer that takes several reads of the store is made of several instants: a run that ends meanwhile may
// be in one part of it and not in another. Errors of the store come through as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "aggregator/model/run.h"
#include "aggregator/query/calendar.h"
#include "aggregator/rules/backtest.h"
#include "aggregator/stats/change_points.h"
#include "aggregator/stats/compare.h"
#include "aggregator/stats/eta.h"
#include "aggregator/stats/expectation.h"
#include "aggregator/stats/history.h"
#include "aggregator/stats/profile.h"
#include "aggregator/stats/run_compare.h"
#include "aggregator/stats/stats.h"
#include "aggregator/stats/top.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::query {

using stats::kGraceDefault;

// The first that holds of: it is not expected to run; a run takes longer than allowed; a start is missing; the newest
// terminal run failed or crashed; a run is open; there are runs; there are none that ended. A canceled run says nothing
// about its job: the newest of the others decides.
enum class JobStatus { kPaused, kOverrunning, kLate, kFailing, kRunning, kOk, kNew };
std::string_view name_of(JobStatus status);
std::optional<JobStatus> job_status_of(std::string_view name);

struct JobView {
  std::string name;
  JobStatus status = JobStatus::kNew;
  JobSpec spec;
  bool paused = false;
  // When the next run is expected to start: the next occurrence of a cron expression; the last start and the interval,
  // be it past. Absent: nobody knows, or it is paused until it is resumed.
  std::optional<Nanos> next_expected_at;
  std::optional<Run> last_run;  // newest start, without its steps
  stats::Stats stats;           // duration of succeeded runs, all time
  // What its runs usually take. Of one job that is asked for by name alone: lists do not look at single runs.
  std::optional<stats::Typical> typical;
};

// A page may hold running runs of many jobs; of so many what they usually take is looked up.
inline constexpr std::size_t kEtaJobsMax = 10;

struct JobsRequest {
  Nanos now = 0;       // wall clock
  std::string search;  // substring of the name; empty: all
  std::optional<JobStatus> status;
  std::string tag;                                         // one that the job has; empty: all
  enum class Sort { kName, kLastRun } sort = Sort::kName;  // kLastRun: newest first, those without a run at the end
  std::string after;       // name of the last job of the page before; empty: from the start
  std::size_t limit = 50;  // at least 1
};
struct JobsPage {
  std::vector<JobView> jobs;
  bool more = false;  // jobs are left after the last of these
};

struct StatsRequest {
  RunFilter filter;  // `states` is not looked at; `job` set: NotFound if there is no such job
  stats::Measure measure;
  std::string step;  // path; with another measure than duration nothing is measured
  std::vector<State> outcomes = {State::kSucceeded};
};

struct HistoryRequest {
  StatsRequest of;  // measured in every bucket
  Calendar calendar;
  std::uint64_t min_count = 1;  // values that a bucket needs to be the peak or the low
};

struct ProfileRequest {
  StatsRequest of;  // measured in every hour of the week
  absl::TimeZone zone = absl::UTCTimeZone();
  std::uint64_t min_count = 1;  // values that an hour needs to be the peak or the low
};

struct TopRequest {
  std::optional<Nanos> since, until;
  stats::Rank rank = stats::Rank::kMedian;
  std::size_t limit = 20;  // at least 1
};

// Runs that the comparison takes where no time says which.
inline constexpr std::size_t kWindowRuns = 30;
inline constexpr std::size_t kBaselineRuns = 200;

// More than so many runs of one side are compared by their rollups.
inline constexpr std::size_t kSingleRunsMax = 20'000;

// The window is what `filter` selects of the runs that succeeded. Without `since` it is the last kWindowRuns of them
// before `until`, and behind the baseline where that is given and lies before.
//
// The baseline is chosen by the rest of the filter: from baseline_since to baseline_until. Without baseline_until it
// ends where the window begins; without baseline_since it is the last kBaselineRuns runs before its end.
//
// With baseline_version or baseline_build_id the baseline is of those, instead of the filter's version and build. Where
// that alone keeps the two apart, neither needs to end before the other: of each the last runs are taken.
struct CompareRequest {
  RunFilter filter;  // `job` set; `states` is not looked at
  std::optional<Nanos> baseline_since, baseline_until;
  std::string baseline_version, baseline_build_id;
  stats::Measure measure;
  std::string step;
};
// A run must not be on both sides: which parameter says so, of those that are given. nullopt if none does.
std::optional<FieldError> overlap(const CompareRequest& request);

struct ChangesRequest {
  RunFilter filter;  // `job` set; `states` is not looked at: those that succeeded
  stats::Measure measure;
  std::string step;
};

// A specification to be tried on the runs of a job that started in [since, until).
struct BacktestRequest {
  std::string job;
  JobSpec spec;
  Nanos since = 0, until = 0;
};
inline constexpr std::size_t kBacktestRunsMax = 200'000;
struct Backtest {
  Nanos since = 0, until = 0;  // of what was tried: not before runs have expired
  rules::BacktestResult result;
};

// Any thread. NotFound where the job or run is unknown; a job exists if it ever had a run, or has a specification.
// Borrows the store.
class Query {
 public:
  explicit Query(Store& store) : store_(store) {}

  // By kLastRun a job that starts again while someone pages moves to the front, and is seen twice or not at all;
  // InvalidArgument if `after` is no job (any more). By kName paging is stable.
  absl::StatusOr<JobsPage> jobs(const JobsRequest& request);
  absl::StatusOr<JobView> job(const std::string& name, Nanos now);
  absl::StatusOr<Run> run(const Uuid& id);
  // Of a run: open ones first.
  // The same with its delays.
  absl::StatusOr<RunAndDelays> run_and_delays(const Uuid& id);
  // `filter.job` set: NotFound if there is no such job.
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t limit);
  // Likewise; see Store::alerts().
  absl::StatusOr<DelayPage> delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit);
  absl::StatusOr<AlertPage> alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit);
  // When the run will end; nullopt where it has ended, or nothing is learned of its job and it reports no progress.
  // `now` by the wall clock.
  absl::StatusOr<std::optional<stats::Eta>> eta(const Run& run, Nanos now);
  // The same of each of the runs, in their order; nullopt also of those beyond the first kEtaJobsMax running jobs.
  absl::StatusOr<std::vector<std::optional<stats::Eta>>> etas(const std::vector<Run>& runs, Nanos now);
  // What is learned from the newest runs of the job that succeeded and are kept; nothing of a job that is unknown.
  absl::StatusOr<stats::Expectation> expectation(const std::string& job);
  // Where runs have expired that the answer would need one by one, it is of whole hours (or days) instead, or of the
  // runs that are left, and says so (stats::Rounded).
  absl::StatusOr<stats::Stats> stats(const StatsRequest& request);
  // As many buckets at most as there are hours with runs.
  absl::StatusOr<stats::History> history(const HistoryRequest& request);
  absl::StatusOr<stats::Profile> profile(const ProfileRequest& request);
  // Of all jobs, one consistent view.
  absl::StatusOr<stats::Top> top(const TopRequest& request);
  // Requires !overlap(request). From single runs; from rollups where a side is given in time and has more than
  // kSingleRunsMax runs, or some of its runs have expired.
  absl::StatusOr<stats::Comparison> compare(const CompareRequest& request);
  // A run against another one, or against the kBaselineRuns of its job before it that succeeded. Aborted if one of the
  // two has not ended; InvalidArgument if `to` is of another job, or the run itself.
  absl::StatusOr<stats::RunComparison> run_compare(const Uuid& id, const std::optional<Uuid>& to);
  // On at most about stats::kPointsMax points: medians of single runs that followed each other, or of hours or days
  // where there are more than kSingleRunsMax runs, or some have expired.
  absl::StatusOr<stats::ChangePoints> changes(const ChangesRequest& request);
  // Without what has been learned of the job, which is of today. OutOfRange: there are more than kBacktestRunsMax runs.
  absl::StatusOr<Backtest> backtest(const BacktestRequest& request);

 private:
  absl::Status require(const std::string& job);
  // Statistics of nothing: fine, unless the job that they are about is unknown.
  absl::Status require_unless(bool any, const std::string& job);
  absl::StatusOr<stats::Rounded> scan(const StatsRequest& request, absl::FunctionRef<void(const Run&)> visit);

  Store& store_;
};

}  // namespace kleptometrics::aggregator::query
