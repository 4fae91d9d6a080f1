#include "aggregator/store/sqlite/rollup_sums.h"

#include "aggregator/wire/rollups.h"

namespace kleptometrics::aggregator::sqlite {

using stats::Resolution;

// Runs come sorted by job and start: mostly the bucket is that of the run before.
stats::Rollup& RollupSums::bucket(Bucket& last, const RollupKey& key) {
  if (last.rollup == nullptr || !(last.key == key)) last = {key, &changes_[key]};
  return *last.rollup;
}

absl::StatusOr<std::int64_t> RollupSums::key_of(const stats::Series& series) {
  std::string name = text_of(series);
  if (const auto known = series_.find(name); known != series_.end()) return known->second;
  const absl::StatusOr<std::int64_t> found = series_key(db_, name);
  if (!found.ok()) return found;
  if (*found != 0) return series_[name] = *found;
  new_series_.push_back(name);
  return series_[name] = -static_cast<std::int64_t>(new_series_.size());
}

void RollupSums::add_hour(std::int64_t job, const Run& run) {
  const Nanos start = start_of(run.started_at, Resolution::kHour);
  bucket(hour_, {Resolution::kHour, kDurations, job, start}).add(run, {});
}

absl::Status RollupSums::add(std::int64_t job, const Run& run, bool hour) {
  static const stats::Series durations;
  if (hour) add_hour(job, run);
  const Nanos day = start_of(run.started_at, Resolution::kDay);
  bucket(day_, {Resolution::kDay, kDurations, job, day}).add(run, durations);
  bucket(all_, {Resolution::kAll, kDurations, job, 0}).add(run, durations);
  const bool plain = !run.scheduled_at && run.counters.empty() && run.steps.empty() && run.resources == Resources{};
  if (plain) return absl::OkStatus();
  for (const stats::Series& series : stats::series_of(run)) {
    if (series.durations()) continue;
    const absl::StatusOr<std::int64_t> key = key_of(series);
    if (!key.ok()) return key.status();
    changes_[{Resolution::kDay, *key, job, day}].measure(run, series);
    changes_[{Resolution::kAll, *key, job, 0}].measure(run, series);
  }
  return absl::OkStatus();
}

absl::Status RollupSums::work_out(std::vector<RollupRow>& rows) {
  for (const auto& [key, change] : changes_) {
    absl::StatusOr<stats::Rollup> rollup = read_rollup(db_, key);
    if (!rollup.ok()) return rollup.status();
    rollup->merge(change);
    rows.push_back({key, wire::encode_rollup(*rollup)});
  }
  changes_.clear();
  hour_ = day_ = all_ = {};
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::sqlite
