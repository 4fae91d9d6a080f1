// The rows of `rollups` and `expired`: read and written many at a time by whoever holds the settling lock, inside its
// transaction. One thread at a time; borrows the connection.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/rollup_table.h"

namespace kleptometrics::aggregator::postgres {

using Rollups = std::map<RollupKey, stats::Rollup>;

// What a key is called in a row.
inline std::int64_t stored_resolution(stats::Resolution resolution) { return static_cast<std::int64_t>(resolution); }
inline std::int64_t stored_start(const RollupKey& key) { return number_of(key.resolution, key.start); }

class RollupRows final : public RollupTable {
 public:
  explicit RollupRows(Connection& db) : db_(db) {}

  // Number of the series of the name, made if it is new.
  absl::StatusOr<std::int64_t> key_of(const std::string& name);
  // The rows there are of the keys.
  absl::StatusOr<Rollups> read_all(const std::vector<RollupKey>& keys);
  // Of the days that are keys, the hours that have a row. Their job and start alone.
  absl::StatusOr<std::vector<RollupKey>> hours_in(const std::vector<RollupKey>& days);
  // Rows as they are to be; `known`: those that there are already.
  absl::Status write_all(const Rollups& rows, const Rollups& known);
  // Rows of `expired` are written here, all at once.
  absl::Status write_expired();

 private:
  absl::StatusOr<std::int64_t> key_of(const stats::Series& series) override;
  absl::StatusOr<stats::Rollup> read(const RollupKey& key) override;
  absl::Status store(const RollupKey& key, const stats::Rollup& rollup) override;
  absl::StatusOr<stats::Rollup> read_expired(const RollupKey& key) override;
  absl::Status store_expired(const RollupKey& key, const stats::Rollup& rollup) override;
  absl::Status each_day(std::int64_t job, std::int64_t series,
                        absl::FunctionRef<void(const stats::Rollup&)> visit) override;

  Connection& db_;
  Rollups expired_;                // as they are to be
  std::set<RollupKey> unwritten_;  // of those
  bool series_read_ = false;
  std::map<std::string, std::int64_t> series_;
};

}  // namespace kleptometrics::aggregator::postgres
