// The rows of `rollups`: read by anyone on a connection of their own, and changed by the committer inside its
// transactions. What runs add to them is worked out by rollup_sums.h. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

inline constexpr std::int64_t kDurations = 1;  // key of that series

struct RollupKey {
  stats::Resolution resolution = stats::Resolution::kAll;
  std::int64_t series = kDurations;
  std::int64_t job = 0;
  Nanos start = 0;
  bool operator<(const RollupKey& other) const {
    return std::tie(resolution, series, job, start) < std::tie(other.resolution, other.series, other.job, other.start);
  }
  bool operator==(const RollupKey&) const = default;
};

// Calls `visit` with the rows of a job (0: of all), resolution and series that start in [since, until).
absl::Status read_rollups(Connection& db, const RollupKey& from, Nanos until,
                          absl::FunctionRef<absl::Status(const RollupKey&, std::string_view bytes)> visit);

// As it is stored; empty where there is none. Keys of series that are not positive are of none.
absl::StatusOr<stats::Rollup> read_rollup(Connection& db, const RollupKey& key);
// 0: unknown.
absl::StatusOr<std::int64_t> series_key(Connection& db, const std::string& name);

// A row as it is to be.
struct RollupRow {
  RollupKey key;
  std::string bytes;
};

// Borrows the writing connection, inside a transaction.
class RollupRows {
 public:
  explicit RollupRows(Connection& db) : db_(db) {}

  // What RollupSums has worked out, with its new series.
  absl::Status write(std::vector<RollupRow>& rows, const std::vector<std::string>& new_series);
  // Remembers where a run that expires is the lowest or the highest of those of its hour or day that have: it may be so
  // of all of them again when another run is taken out.
  absl::Status expire(std::int64_t job, const Run& run);

  // The runs of a job that started in [since, until) and have ended, but for the one that is taken out; with `in_hours`
  // only those that are counted in hours. Used to find a high or a low anew.
  using Others =
      std::function<absl::Status(Nanos since, Nanos until, bool in_hours, absl::FunctionRef<void(const Run&)> visit)>;
  // Takes out what RollupSums::add() counted.
  absl::Status remove(std::int64_t job, const Run& run, bool hour, const Others& others);

 private:
  // Key of the series, made if it is new.
  absl::StatusOr<std::int64_t> key_of(const stats::Series& series);
  absl::StatusOr<std::int64_t> key_of(const std::string& name);
  absl::Status remove_from(const RollupKey& key, const Run& run, const stats::Series& series, const Others& others);
  absl::Status add_up_again(const RollupKey& key, stats::Distribution& values, State state, const stats::Series& series,
                            const Others& others);
  absl::Status expire_in(const RollupKey& key, const stats::Series& series, const Run& run);
  absl::Status store(const RollupKey& key, const stats::Rollup& rollup);
  absl::Status store(const RollupKey& key, std::string_view bytes);

  Connection& db_;
  std::map<std::string, std::int64_t> series_;
};

}  // namespace kleptometrics::aggregator::sqlite
