// The rows of `rollups`: read by anyone on a connection of their own, and changed by the committer inside its
// transactions. What runs add to them is gathered by rollup_sums.h and worked out against the rows as they are, without
// writing any: for a settling, which does so beside the commits, on a connection that only reads. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/rollup_sums.h"
#include "aggregator/store/rollup_table.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

// Calls `visit` with the rows of a job (0: of all), resolution and series that start in [since, until).
absl::Status read_rollups(Connection& db, const RollupKey& from, Nanos until,
                          absl::FunctionRef<absl::Status(const RollupKey&, std::string_view bytes)> visit);

// As it is stored; empty where there is none. Keys of series that are not positive are of none.
absl::StatusOr<stats::Rollup> read_rollup(Connection& db, const RollupKey& key);

// Keys of series for who only reads: where there is none yet the name is kept, and the first of those is -1, the next
// -2 and so on, for RollupRows::write(). Borrows the connection.
class SeriesKeys {
 public:
  explicit SeriesKeys(Connection& db) : db_(db) {}
  absl::StatusOr<std::int64_t> key_of(const std::string& name);
  const std::vector<std::string>& new_series() const { return new_; }

 private:
  Connection& db_;
  std::vector<std::string> new_;
};

// A row as it is to be.
struct RollupRow {
  RollupKey key;
  std::string bytes;
};
// Appends the rows as they are to be with what the sums have gathered, which begin anew. Right as long as nobody else
// writes rollups in between.
absl::Status work_out(Connection& db, RollupSums& sums, std::vector<RollupRow>& rows);

// Borrows the writing connection, inside a transaction.
class RollupRows final : public RollupTable {
 public:
  explicit RollupRows(Connection& db) : db_(db) {}

  // What was worked out, with its new series.
  absl::Status write(std::vector<RollupRow>& rows, const std::vector<std::string>& new_series);

 private:
  absl::StatusOr<std::int64_t> key_of(const stats::Series& series) override;
  absl::StatusOr<stats::Rollup> read(const RollupKey& key) override { return read_rollup(db_, key); }
  absl::Status store(const RollupKey& key, const stats::Rollup& rollup) override;
  absl::StatusOr<stats::Rollup> read_expired(const RollupKey& key) override;
  absl::Status store_expired(const RollupKey& key, const stats::Rollup& rollup) override;
  absl::Status each_day(std::int64_t job, std::int64_t series,
                        absl::FunctionRef<void(const stats::Rollup&)> visit) override;

  absl::StatusOr<std::int64_t> key_of(const std::string& name);
  absl::Status store(const RollupKey& key, std::string_view bytes);

  Connection& db_;
  std::map<std::string, std::int64_t> series_;
};

}  // namespace kleptometrics::aggregator::sqlite
