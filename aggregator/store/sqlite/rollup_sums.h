// What runs that come add to the rows of `rollups`: gathered, and worked out against the rows as they are, without
// writing any. For a settling, which does so beside the commits, on a connection that only reads. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/rollup_rows.h"

namespace kleptometrics::aggregator::sqlite {

class RollupSums {
 public:
  // Borrows the connection.
  explicit RollupSums(Connection& db) : db_(db) {}

  // Counts the run in all its series by day and for all time, and with `hour` its duration by hour.
  absl::Status add(std::int64_t job, const Run& run, bool hour);
  // Its duration in its hour alone.
  void add_hour(std::int64_t job, const Run& run);
  // Appends the rows as they are to be, for RollupRows::write(), and begins anew. Right as long as nobody else writes
  // rollups in between.
  absl::Status work_out(std::vector<RollupRow>& rows);
  // Names of the series that have no key yet: row key -1 is the first of them, and so on.
  const std::vector<std::string>& new_series() const { return new_series_; }

 private:
  struct Bucket {
    RollupKey key;
    stats::Rollup* rollup = nullptr;  // in changes_
  };
  stats::Rollup& bucket(Bucket& last, const RollupKey& key);
  absl::StatusOr<std::int64_t> key_of(const stats::Series& series);

  Connection& db_;
  std::map<RollupKey, stats::Rollup> changes_;
  Bucket hour_, day_, all_;  // of durations; the last that were added to
  std::map<std::string, std::int64_t> series_;
  std::vector<std::string> new_series_;
};

}  // namespace kleptometrics::aggregator::sqlite
