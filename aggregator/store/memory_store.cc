#include "aggregator/store/memory_store.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "aggregator/store/apply.h"
#include "aggregator/store/rules.h"

namespace kleptometrics::aggregator {

using stats::Resolution;
using stats::Rollup;

Applied MemoryStore::apply(Run run, Nanos now) {
  if (gone_.contains(run.id)) return Applied::kDuplicate;
  if (const auto found = by_id_.find(run.id); found != by_id_.end()) {
    const Run& stored = found->second->run;
    const Judgement judgement = judge(run, stored);
    if (judgement.applied != Applied::kAccepted) return judgement.applied;
    run = merged(std::move(run), stored, judgement);
  }
  const auto entry = std::make_shared<const Kept>(Kept{std::move(run), now});
  const Position position{entry->run.started_at, entry->run.id};
  by_id_[entry->run.id] = entry;
  all_[position] = entry;
  jobs_[entry->run.job].runs[position] = entry;
  return Applied::kAccepted;
}

absl::StatusOr<std::vector<Applied>> MemoryStore::commit(std::vector<Run> runs, Nanos now, const std::vector<Basis>&) {
  std::vector<Applied> applied;
  applied.reserve(runs.size());
  const Lock lock(mutex_);
  std::vector<Uuid> changed;
  for (Run& run : runs) {
    const Uuid id = run.id;
    applied.push_back(apply(std::move(run), now));
    if (applied.back() == Applied::kAccepted) changed.push_back(id);
  }
  if (!keeps_changes_) return applied;
  std::ranges::sort(changed);
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  std::vector<Change> changes;
  for (const Uuid& id : changed) {
    const Run& run = by_id_.at(id)->run;
    changes.push_back({.job = run.job, .run = run});
  }
  enter(std::move(changes));
  return applied;
}

absl::Status MemoryStore::put_job(const std::string& name, const JobSpec& spec) {
  const Lock lock(mutex_);
  jobs_[name].spec = spec;
  if (keeps_changes_) enter({{.job = name, .spec = spec}});
  return absl::OkStatus();
}

absl::Status MemoryStore::record(const Findings& findings) {
  const Lock lock(mutex_);
  for (const Delay& delay : findings.delays) {
    jobs_[delay.job];
    delays_.put(delay);
  }
  for (const Alert& alert : findings.alerts) {
    jobs_[alert.job];
    alerts_.put(alert);
  }
  for (const Uuid& id : findings.withdrawn) delays_.remove(id);
  for (const auto& [job, bytes] : findings.watch_states) jobs_[job].watch_state = bytes;
  return absl::OkStatus();
}

void MemoryStore::expire(const Kept& kept, Job& job) {
  const Run& run = kept.run;
  for (const stats::Series& series : stats::series_of(run)) {
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay, Resolution::kAll}) {
      if (!kept_by(resolution, series)) continue;
      job.expired[{text_of(series), resolution, start_of(run.started_at, resolution)}].measure(run, series);
    }
  }
  for (const Resolution resolution : {Resolution::kHour, Resolution::kDay, Resolution::kAll})
    job.expired[{text_of(stats::Series{}), resolution, start_of(run.started_at, resolution)}].count(run);
  job.complete_since = std::max(job.complete_since, run.started_at + 1);
}

absl::StatusOr<Maintenance> MemoryStore::maintain(Nanos now, bool) {
  Maintenance done;
  const Lock lock(mutex_);
  delays_.expire(now - kFindingsKept);
  alerts_.expire(now - kFindingsKept);
  std::erase_if(gone_, [now](const auto& each) { return each.second <= now; });
  for (auto& [name, job] : jobs_) {
    if (job.spec.retention_days == 0) continue;
    const Nanos horizon = expiry_horizon(job.spec, now);
    std::erase_if(job.runs, [&, &its = job](const auto& each) KLEPTO_REQUIRES(mutex_) {
      const Kept& kept = *each.second;
      if (!terminal(kept.run.state) || kept_since(kept.run, kept.committed_at) >= horizon) return false;
      expire(kept, its);
      gone_[kept.run.id] = now + kIdsOutlive;
      by_id_.erase(kept.run.id);
      all_.erase(each.first);
      ++done.expired;
      return true;
    });
  }
  return done;
}

absl::StatusOr<std::optional<Run>> MemoryStore::run(const Uuid& id) {
  const Lock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::optional<Run>();
  return std::optional<Run>(found->second->run);
}

const MemoryStore::Ordered& MemoryStore::ordered(const std::string& job) const {
  static const Ordered none;
  if (job.empty()) return all_;
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? none : found->second.runs;
}

absl::StatusOr<RunPage> MemoryStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                          std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  RunPage page;
  const Lock lock(mutex_);
  const Ordered& runs = ordered(filter.job);
  auto at = after ? runs.upper_bound({after->started_at, after->id}) : runs.begin();
  for (; at != runs.end(); ++at) {
    const Run& run = at->second->run;
    if (filter.since && run.started_at < *filter.since) break;
    if (!matches(filter, run)) continue;
    if (page.runs.size() == limit) {
      page.next = RunCursor{page.runs.back().started_at, page.runs.back().id};
      break;
    }
    page.runs.push_back(run);
  }
  return page;
}

absl::Status MemoryStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  std::vector<Entry> entries;
  {
    const Lock lock(mutex_);
    for (const auto& [position, entry] : ordered(filter.job)) {
      if (matches(filter, entry->run)) entries.push_back(entry);
    }
  }
  for (const Entry& entry : entries) visit(entry->run);
  return absl::OkStatus();
}

void MemoryStore::add_up(const Stretch& stretch, const SummaryRequest& request, const std::string& name, const Job& job,
                         Pieces& pieces) {
  for (const auto& [position, entry] : job.runs) {
    if (terminal(entry->run.state) && holds(stretch, position.first)) pieces.run(entry->run);
  }
  if (stretch.by == Stretch::By::kRuns) return;
  for (const auto& [key, rollup] : job.expired) {
    const auto& [series, resolution, start] = key;
    if (resolution != resolution_of(stretch.by) || !holds(stretch, start)) continue;
    const stats::Series of = *stats::series_named(series);
    if (of.durations() || of == request.series) pieces.rollup(name, start, of, rollup);
  }
}

absl::Status MemoryStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  const Lock lock(mutex_);
  for (const auto& [name, job] : jobs_) {
    if (!request.job.empty() && request.job != name) continue;
    for (const Stretch& stretch : request.stretches) add_up(stretch, request, name, job, pieces);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JobHead>> MemoryStore::jobs(const std::string& name) {
  std::vector<JobHead> heads;
  const Lock lock(mutex_);
  for (const auto& [its_name, job] : jobs_) {
    if (!name.empty() && name != its_name) continue;
    JobHead& head = heads.emplace_back(JobHead{its_name, job.spec});
    for (const auto& [position, entry] : job.runs) {  // newest first
      if (!head.last_run) head.last_run = without_steps(entry->run);
      if (!head.last_verdict && is_verdict(entry->run.state)) head.last_verdict = entry->run.state;
      head.running = head.running || !terminal(entry->run.state);
    }
  }
  return heads;
}

absl::StatusOr<Nanos> MemoryStore::complete_since(const std::string& job) {
  Nanos since = std::numeric_limits<Nanos>::min();
  const Lock lock(mutex_);
  for (const auto& [name, its] : jobs_) {
    if (job.empty() || job == name) since = std::max(since, its.complete_since);
  }
  return since;
}

absl::StatusOr<DelayPage> MemoryStore::delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                              std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one delay");
  const Lock lock(mutex_);
  return delays_.page(filter, after, limit);
}

absl::StatusOr<AlertPage> MemoryStore::alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                              std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one alert");
  const Lock lock(mutex_);
  return alerts_.page(filter, after, limit);
}

absl::StatusOr<std::optional<Alert>> MemoryStore::alert(const Uuid& id) {
  const Lock lock(mutex_);
  return alerts_.find(id);
}

absl::StatusOr<DelayCounts> MemoryStore::delay_counts(const DelayFilter& filter) {
  const Lock lock(mutex_);
  return delays_.counts(filter);
}

absl::StatusOr<AlertCounts> MemoryStore::alert_counts(const AlertFilter& filter) {
  const Lock lock(mutex_);
  return alerts_.counts(filter);
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> MemoryStore::watch_states() {
  std::vector<std::pair<std::string, std::string>> states;
  const Lock lock(mutex_);
  for (const auto& [name, job] : jobs_) {
    if (!job.watch_state.empty()) states.emplace_back(name, job.watch_state);
  }
  return states;
}

// --- the list of changes -----------------------------------------------------------------------------------------

void MemoryStore::enter(std::vector<Change> changes) {
  if (!changes.empty()) changed_.emplace_back(++last_change_, std::move(changes));
}

absl::Status MemoryStore::keep_changes() {
  const Lock lock(mutex_);
  keeps_changes_ = true;
  return absl::OkStatus();
}

absl::StatusOr<Changes> MemoryStore::changes(std::size_t limit) {
  Changes changes;
  const Lock lock(mutex_);
  for (const auto& [number, its] : changed_) {
    changes.more = !changes.items.empty() && changes.items.size() >= limit;
    if (changes.more) break;
    changes.items.insert(changes.items.end(), its.begin(), its.end());
    changes.upto = std::to_string(number);
  }
  return changes;
}

std::uint64_t MemoryStore::waiting() const {
  std::uint64_t waiting = 0;
  const Lock lock(mutex_);
  for (const auto& [number, its] : changed_) waiting += its.size();
  return waiting;
}

absl::Status MemoryStore::put_off(const std::string& upto, const std::vector<Run>& again) {
  std::uint64_t number = 0;
  if (!absl::SimpleAtoi(upto, &number)) return absl::InvalidArgumentError(absl::StrCat("no position: ", upto));
  std::vector<Change> changes;
  for (const Run& run : again) changes.push_back({.job = run.job, .run = run});
  const Lock lock(mutex_);
  while (!changed_.empty() && changed_.front().first <= number) changed_.pop_front();
  enter(std::move(changes));
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator
