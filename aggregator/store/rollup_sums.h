// What runs that come add to the rollups of a store, gathered before any row is read or written. For back ends that
// keep rollups in rows and add many runs to them at once. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/rollup_table.h"

namespace kleptometrics::aggregator {

class RollupSums {
 public:
  // Gives a series, by its name (stats::text_of), its number. Asked once a series.
  using KeyOf = std::function<absl::StatusOr<std::int64_t>(const std::string& name)>;
  explicit RollupSums(KeyOf key_of) : key_of_(std::move(key_of)) {}

  // Counts the run in all its series by day and for all time, and with `hour` its duration by hour.
  absl::Status add(std::int64_t job, const Run& run, bool hour);
  // Its duration in its hour alone.
  void add_hour(std::int64_t job, const Run& run);
  // What was added since the last time, by row; begins anew.
  std::map<RollupKey, stats::Rollup> take();

 private:
  struct Bucket {
    RollupKey key;
    stats::Rollup* rollup = nullptr;  // in changes_
  };
  stats::Rollup& bucket(Bucket& last, const RollupKey& key);
  absl::StatusOr<std::int64_t> number_of(const stats::Series& series);

  const KeyOf key_of_;
  std::map<RollupKey, stats::Rollup> changes_;
  Bucket hour_, day_, all_;  // of durations; the last that were added to
  std::map<std::string, std::int64_t> series_;
};

}  // namespace kleptometrics::aggregator
