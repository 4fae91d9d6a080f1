// Jobs with their headlines: one look at the heads of all jobs, one at their rollups of all time.
#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "aggregator/query/add_up.h"
#include "aggregator/query/query.h"
#include "aggregator/schedule/schedule.h"

namespace kleptometrics::aggregator::query {
namespace {

using Heads = std::vector<JobHead>;

constexpr std::array<std::pair<std::string_view, JobStatus>, 7> kStatuses = {{{"paused", JobStatus::kPaused},
                                                                              {"overrunning", JobStatus::kOverrunning},
                                                                              {"late", JobStatus::kLate},
                                                                              {"failing", JobStatus::kFailing},
                                                                              {"running", JobStatus::kRunning},
                                                                              {"ok", JobStatus::kOk},
                                                                              {"new", JobStatus::kNew}}};

// Open delays by job.
struct Behind {
  bool overrunning = false;
  bool missed = false;
};
using Behinds = std::map<std::string, Behind>;

absl::StatusOr<Behinds> behind_now(Store& store, const std::string& job) {
  const auto counts = store.delay_counts({.open = true, .job = job});
  if (!counts.ok()) return counts.status();
  Behinds behinds;
  for (const auto& each : *counts) {
    Behind& behind = behinds[each.job];
    behind.overrunning = behind.overrunning || each.kind == DelayKind::kOverrun;
    behind.missed = behind.missed || each.kind == DelayKind::kMissed;
  }
  return behinds;
}

// `durations`: of all time; null: no run of the job ever ended.
JobStatus status_of(const JobHead& head, const stats::Rollup* durations, const Behinds& behinds, Nanos now) {
  if (paused(head.spec, now)) return JobStatus::kPaused;
  if (const auto behind = behinds.find(head.name); behind != behinds.end()) {
    if (behind->second.overrunning) return JobStatus::kOverrunning;
    if (behind->second.missed) return JobStatus::kLate;
  }
  if (head.last_verdict && *head.last_verdict != State::kSucceeded) return JobStatus::kFailing;
  if (head.running) return JobStatus::kRunning;
  const bool ended = head.last_verdict || head.last_run || durations != nullptr;
  return ended ? JobStatus::kOk : JobStatus::kNew;
}

// The first of its occurrences at the instant or after it.
std::optional<Nanos> occurrence(const JobSpec& spec, Nanos from) {
  const auto schedule = schedule::Schedule::of(spec);
  return schedule.ok() ? schedule->next(from - 1) : std::nullopt;
}

std::optional<Nanos> next_expected(const JobHead& head, Nanos now) {
  const JobSpec& spec = head.spec;
  const bool waits = paused(spec, now);
  if (waits && *spec.paused_until >= kNanosEnd) return std::nullopt;
  if (!spec.cron.empty()) return occurrence(spec, waits ? *spec.paused_until : now + 1);
  if (spec.interval == 0 || !head.last_run) return std::nullopt;
  const Nanos next = head.last_run->started_at + std::min(spec.interval, kNanosEnd - head.last_run->started_at);
  return waits ? std::max(next, *spec.paused_until) : next;
}

JobView view_of(JobHead head, const stats::Rollup* durations, const Behinds& behinds, Nanos now) {
  JobView view;
  view.status = status_of(head, durations, behinds, now);
  view.paused = paused(head.spec, now);
  view.next_expected_at = next_expected(head, now);
  view.name = std::move(head.name);
  view.spec = std::move(head.spec);
  view.last_run = std::move(head.last_run);
  if (durations != nullptr) view.stats = stats::stats_of(*durations, {State::kSucceeded});
  return view;
}

// Newest last run first, those without one at the end; then by name.
using Position = std::tuple<Nanos, std::string_view>;
Position by_last_run(const JobHead& head) {
  return {head.last_run ? -head.last_run->started_at : std::numeric_limits<Nanos>::max(), head.name};
}

// Those behind `after`, wherever that is now.
absl::Status sort_by_last_run(const std::string& after, Heads& heads) {
  std::sort(heads.begin(), heads.end(),
            [](const JobHead& a, const JobHead& b) { return by_last_run(a) < by_last_run(b); });
  if (after.empty()) return absl::OkStatus();
  const auto found = std::ranges::find(heads, after, &JobHead::name);
  if (found == heads.end()) return absl::InvalidArgumentError("the page begins after `" + after + "`, which is no job");
  heads.erase(heads.begin(), found + 1);
  return absl::OkStatus();
}

bool has_tag(const JobSpec& spec, const std::string& tag) {
  return tag.empty() || std::ranges::find(spec.tags, tag) != spec.tags.end();
}

// What the page may hold, in its order; the status is not yet looked at.
absl::Status keep_candidates(const JobsRequest& request, Heads& heads) {
  if (request.sort == JobsRequest::Sort::kLastRun) {
    if (auto status = sort_by_last_run(request.after, heads); !status.ok()) return status;
  } else {
    std::erase_if(heads, [&](const JobHead& head) { return head.name <= request.after; });
  }
  std::erase_if(heads, [&](const JobHead& head) {
    return head.name.find(request.search) == std::string::npos || !has_tag(head.spec, request.tag);
  });
  // One more than is shown says that there are more.
  if (!request.status && heads.size() > request.limit) heads.resize(request.limit + 1);
  return absl::OkStatus();
}

// The durations of all time, of one job or of those among the heads.
absl::StatusOr<PlaceOfJob> add_up_all(Store& store, const Heads& heads) {
  absl::flat_hash_set<std::string_view> names;
  for (const JobHead& head : heads) names.insert(head.name);
  PlaceOfJob places([names = std::move(names)](std::string_view job) { return names.contains(job); });
  if (heads.empty()) return places;
  const std::string only = heads.size() == 1 ? heads.front().name : std::string();
  const auto plan = add_up(store, only, {}, {}, places);
  if (!plan.ok()) return plan.status();
  return places;
}

const stats::Rollup* find(const PlaceOfJob& places, const std::string& job) {
  const auto found = places.sums().find(job);
  return found == places.sums().end() || found->second.empty() ? nullptr : &found->second;
}

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

absl::StatusOr<JobView> Query::job(const std::string& name, Nanos now) {
  auto heads = store_.jobs(name);
  if (!heads.ok()) return heads.status();
  if (heads->empty()) return absl::NotFoundError("there is no job `" + name + "`");
  const auto durations = add_up_all(store_, *heads);
  if (!durations.ok()) return durations.status();
  const auto expected = expectation(name);
  if (!expected.ok()) return expected.status();
  const auto behinds = behind_now(store_, name);
  if (!behinds.ok()) return behinds.status();
  JobView view = view_of(std::move(heads->front()), find(*durations, name), *behinds, now);
  view.typical = expected->typical();
  return view;
}

absl::StatusOr<JobsPage> Query::jobs(const JobsRequest& request) {
  auto heads = store_.jobs();
  if (!heads.ok()) return heads.status();
  if (auto status = keep_candidates(request, *heads); !status.ok()) return status;
  const auto durations = add_up_all(store_, *heads);
  if (!durations.ok()) return durations.status();
  const auto behinds = behind_now(store_, {});
  if (!behinds.ok()) return behinds.status();
  JobsPage page;
  for (JobHead& head : *heads) {
    const stats::Rollup* const its = find(*durations, head.name);
    if (request.status && *request.status != status_of(head, its, *behinds, request.now)) continue;
    if (page.jobs.size() >= request.limit) {
      page.more = true;
      break;
    }
    page.jobs.push_back(view_of(std::move(head), its, *behinds, request.now));
  }
  return page;
}

}  // namespace kleptometrics::aggregator::query
