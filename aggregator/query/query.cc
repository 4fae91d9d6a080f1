#include "aggregator/query/query.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace kleptometrics::aggregator::query {
namespace {

constexpr std::array<std::pair<std::string_view, JobStatus>, 4> kStatuses = {{{"failing", JobStatus::kFailing},
                                                                              {"running", JobStatus::kRunning},
                                                                              {"ok", JobStatus::kOk},
                                                                              {"new", JobStatus::kNew}}};

RunFilter of_job(const std::string& job) {
  RunFilter filter;
  filter.job = job;
  return filter;
}

absl::Status no_job(const std::string& job) { return absl::NotFoundError("there is no job `" + job + "`"); }

}  // namespace

std::string_view name_of(JobStatus status) {
  for (const auto& [name, value] : kStatuses) {
    if (value == status) return name;
  }
  return "unknown";
}

std::optional<JobStatus> job_status_of(std::string_view name) {
  for (const auto& [spelling, value] : kStatuses) {
    if (spelling == name) return value;
  }
  return std::nullopt;
}

absl::StatusOr<bool> Query::known(const std::string& job) {
  auto run = newest(job, {});
  if (!run.ok()) return run.status();
  return run->has_value();
}

absl::Status Query::require(const std::string& job) {
  const auto is_known = known(job);
  if (!is_known.ok()) return is_known.status();
  return *is_known ? absl::OkStatus() : no_job(job);
}

// The run with the newest start of those in one of the states; empty: in any.
absl::StatusOr<std::optional<Run>> Query::newest(const std::string& job, std::vector<State> states) {
  RunFilter filter = of_job(job);
  filter.states = std::move(states);
  auto page = store_.runs(filter, std::nullopt, 1);
  if (!page.ok()) return page.status();
  if (page->runs.empty()) return std::optional<Run>();
  return std::optional<Run>(std::move(page->runs.front()));
}

absl::StatusOr<JobStatus> Query::status(const std::string& job) {
  const auto verdict = newest(job, {State::kSucceeded, State::kFailed, State::kCrashed});
  if (!verdict.ok()) return verdict.status();
  if (*verdict && (*verdict)->state != State::kSucceeded) return JobStatus::kFailing;
  const auto open = newest(job, {State::kRunning});
  if (!open.ok()) return open.status();
  if (*open) return JobStatus::kRunning;
  if (*verdict) return JobStatus::kOk;
  const auto canceled = newest(job, {State::kCanceled});
  if (!canceled.ok()) return canceled.status();
  return *canceled ? JobStatus::kOk : JobStatus::kNew;
}

absl::StatusOr<JobView> Query::view(const std::string& job, JobStatus status) {
  JobView view;
  view.name = job;
  view.status = status;
  auto last = newest(job, {});
  if (!last.ok()) return last.status();
  view.last_run = *std::move(last);
  StatsRequest request;
  request.filter = of_job(job);
  auto durations = stats(request);
  if (!durations.ok()) return durations.status();
  view.stats = *std::move(durations);
  return view;
}

absl::StatusOr<JobView> Query::job(const std::string& name) {
  if (auto missing = require(name); !missing.ok()) return missing;
  const auto its_status = status(name);
  if (!its_status.ok()) return its_status.status();
  return view(name, *its_status);
}

// Newest last run first, then by name; those after `after`, wherever that is now.
absl::StatusOr<std::vector<std::string>> Query::by_last_run(std::vector<std::string> names, const std::string& after) {
  using Key = std::tuple<Nanos, std::string>;
  std::vector<Key> keys;
  const auto key_of = [this](const std::string& name) -> absl::StatusOr<std::optional<Key>> {
    const auto last = newest(name, {});
    if (!last.ok()) return last.status();
    if (!*last) return std::optional<Key>();
    return std::optional<Key>(Key{-(*last)->started_at, name});
  };
  std::optional<Key> bound;
  if (!after.empty()) {
    auto key = key_of(after);
    if (!key.ok()) return key.status();
    if (!*key) return absl::InvalidArgumentError("the page begins after `" + after + "`, which is no job");
    bound = *std::move(key);
  }
  for (const std::string& name : names) {
    auto key = key_of(name);
    if (!key.ok()) return key.status();
    if (*key && (!bound || **key > *bound)) keys.push_back(**std::move(key));
  }
  std::sort(keys.begin(), keys.end());
  names.clear();
  for (Key& key : keys) names.push_back(std::get<std::string>(std::move(key)));
  return names;
}

// Names that the page may hold, in its order; the status is not yet looked at.
absl::StatusOr<std::vector<std::string>> Query::candidates(const JobsRequest& request) {
  auto heads = store_.jobs();
  if (!heads.ok()) return heads.status();
  absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>();
  for (JobHead& head : *heads) names->push_back(std::move(head.name));
  const bool by_name = request.sort == JobsRequest::Sort::kName;
  std::erase_if(*names, [&](const std::string& name) {
    return name.find(request.search) == std::string::npos || (by_name && name <= request.after);
  });
  if (by_name) return names;
  return by_last_run(*std::move(names), request.after);
}

absl::StatusOr<JobsPage> Query::jobs(const JobsRequest& request) {
  const auto names = candidates(request);
  if (!names.ok()) return names.status();
  JobsPage page;
  for (const std::string& name : *names) {
    const auto its_status = status(name);
    if (!its_status.ok()) return its_status.status();
    if (request.status && *request.status != *its_status) continue;
    if (page.jobs.size() >= request.limit) {
      page.more = true;
      break;
    }
    auto job = view(name, *its_status);
    if (absl::IsNotFound(job.status())) continue;  // gone since
    if (!job.ok()) return job.status();
    page.jobs.push_back(*std::move(job));
  }
  return page;
}

absl::StatusOr<Run> Query::run(const Uuid& id) {
  auto run = store_.run(id);
  if (!run.ok()) return run.status();
  if (!*run) return absl::NotFoundError("there is no run " + id.text());
  return **std::move(run);
}

absl::StatusOr<RunPage> Query::runs(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t limit) {
  auto page = store_.runs(filter, after, limit);
  if (!page.ok() || !page->runs.empty() || filter.job.empty()) return page;
  if (auto missing = require(filter.job); !missing.ok()) return missing;
  return page;
}

absl::StatusOr<stats::Stats> Query::stats(const StatsRequest& request) {
  RunFilter filter = request.filter;
  filter.states.clear();
  stats::Accumulator values(request.measure, request.step, request.outcomes, kGraceDefault);
  bool any = false;
  const absl::Status scanned = store_.scan(filter, [&](const Run& run) {
    any = true;
    values.add(run);
  });
  if (!scanned.ok()) return scanned;
  if (!any && !filter.job.empty()) {
    if (auto missing = require(filter.job); !missing.ok()) return missing;
  }
  return values.finish();
}

}  // namespace kleptometrics::aggregator::query
