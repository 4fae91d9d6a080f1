#include "aggregator/store/memory_store.h"

#include "aggregator/store/apply.h"

namespace kleptometrics::aggregator {

Applied MemoryStore::apply(const Snapshot& snapshot) {
  const Run& run = snapshot.run;
  Entry entry;
  if (const auto found = by_id_.find(run.id); found != by_id_.end()) {
    const Judgement judgement = judge(snapshot, *found->second);
    if (judgement.applied != Applied::kAccepted) return judgement.applied;
    entry = std::make_shared<const Snapshot>(merged(snapshot, *found->second, judgement));
  } else {
    entry = std::make_shared<const Snapshot>(snapshot);
  }
  const Position position{run.started_at, run.id};
  by_id_[run.id] = entry;
  all_[position] = entry;
  by_job_[run.job][position] = entry;
  return Applied::kAccepted;
}

absl::StatusOr<std::vector<Applied>> MemoryStore::commit(absl::Span<const Snapshot> snapshots) {
  std::vector<Applied> applied;
  applied.reserve(snapshots.size());
  const Lock lock(mutex_);
  for (const Snapshot& snapshot : snapshots) applied.push_back(apply(snapshot));
  return applied;
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
  const auto found = by_job_.find(job);
  return found == by_job_.end() ? none : found->second;
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

absl::StatusOr<std::vector<std::string>> MemoryStore::jobs() {
  std::vector<std::string> names;
  const Lock lock(mutex_);
  names.reserve(by_job_.size());
  for (const auto& [name, runs] : by_job_) names.push_back(name);
  return names;
}

}  // namespace kleptometrics::aggregator
