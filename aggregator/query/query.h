// Answers to questions, from the store. Queries never write. Handlers turn what stands here into JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/stats/stats.h"
#include "aggregator/store/store.h"
#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::query {

// The first that holds of (paused, overrunning, late come with job specifications): the newest terminal run
// failed or crashed; a run is open; there are runs; there are none that ended.
enum class JobStatus { kFailing, kRunning, kOk, kNew };
std::string_view name_of(JobStatus status);
std::optional<JobStatus> job_status_of(std::string_view name);

struct JobView {
  std::string name;
  JobStatus status = JobStatus::kNew;
  std::optional<Run> last_run;  // newest start
  stats::Stats stats;           // duration of succeeded runs, all time
};

struct JobsRequest {
  std::string search;               // substring of the name; empty: all
  std::optional<JobStatus> status;
  enum class Sort { kName, kLastRun } sort = Sort::kName;  // kLastRun: newest first
  std::string after;                // name of the last job of the page before; empty: from the start
  std::size_t limit = 50;
};
struct JobsPage {
  std::vector<JobView> jobs;
  bool more = false;
};

struct StatsRequest {
  RunFilter filter;  // `states` is not looked at
  stats::Measure measure;
  std::string step;
  std::vector<State> outcomes = {State::kSucceeded};
};

// Any thread. NotFound where the job or run is unknown. Borrows the store.
class Query {
 public:
  explicit Query(Store& store) : store_(store) {}

  absl::StatusOr<JobsPage> jobs(const JobsRequest& request);
  absl::StatusOr<JobView> job(const std::string& name);
  absl::StatusOr<Run> run(const Uuid& id);
  // `filter.job` set: NotFound if there is no such job.
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t limit);
  absl::StatusOr<stats::Stats> stats(const StatsRequest& request);

 private:
  absl::StatusOr<bool> known(const std::string& job);
  Store& store_;
};

}  // namespace kleptometrics::aggregator::query
