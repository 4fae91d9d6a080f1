#include "aggregator/store/rollup_sums.h"

namespace kleptometrics::aggregator {

using stats::Resolution;

// Runs come sorted by job and start: mostly the bucket is that of the run before.
stats::Rollup& RollupSums::bucket(Bucket& last, const RollupKey& key) {
  if (last.rollup == nullptr || !(last.key == key)) last = {key, &changes_[key]};
  return *last.rollup;
}

absl::StatusOr<std::int64_t> RollupSums::number_of(const stats::Series& series) {
  std::string name = text_of(series);
  if (const auto known = series_.find(name); known != series_.end()) return known->second;
  absl::StatusOr<std::int64_t> key = key_of_(name);
  if (key.ok()) series_[name] = *key;
  return key;
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
    const absl::StatusOr<std::int64_t> key = number_of(series);
    if (!key.ok()) return key.status();
    changes_[{Resolution::kDay, *key, job, day}].measure(run, series);
    changes_[{Resolution::kAll, *key, job, 0}].measure(run, series);
  }
  return absl::OkStatus();
}

std::map<RollupKey, stats::Rollup> RollupSums::take() {
  hour_ = day_ = all_ = {};
  return std::exchange(changes_, {});
}

}  // namespace kleptometrics::aggregator
