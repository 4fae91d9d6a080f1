// The rows of `rollups`: read, and changed by runs that come or go. Used by the committer inside its transactions; rows
// are read by anyone on a connection of their own. One thread at a time.
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

// Changes that are gathered and then written. Borrows the connection, inside a transaction; nothing is written before
// flush(), but for the names of new series.
class RollupRows {
 public:
  explicit RollupRows(Connection& db) : db_(db) {}

  // Counts the run in all its series by day and for all time, and with `hour` its duration by hour.
  absl::Status add(std::int64_t job, const Run& run, bool hour);
  // Its duration in its hour alone.
  void add_hour(std::int64_t job, const Run& run);
  // Remembers, at once, where a run that expires is the lowest or the highest of those of its hour or day that have: it
  // may be so of all of them again when another run is taken out.
  absl::Status expire(std::int64_t job, const Run& run);
  absl::Status flush();

  // The runs of a job that started in [since, until) and have ended, but for the one that is taken out; with `in_hours`
  // only those that are counted in hours. Used to find a high or a low anew.
  using Others =
      std::function<absl::Status(Nanos since, Nanos until, bool in_hours, absl::FunctionRef<void(const Run&)> visit)>;
  // Takes out what add() counted, at once.
  absl::Status remove(std::int64_t job, const Run& run, bool hour, const Others& others);

  // Key of the series, made if it is new.
  absl::StatusOr<std::int64_t> key_of(const stats::Series& series);

 private:
  struct Bucket {
    RollupKey key;
    stats::Rollup* rollup = nullptr;  // in changes_
  };
  stats::Rollup& bucket(Bucket& last, const RollupKey& key);
  absl::Status remove_from(const RollupKey& key, const Run& run, const stats::Series& series, const Others& others);
  absl::Status add_up_again(const RollupKey& key, stats::Distribution& values, State state, const stats::Series& series,
                            const Others& others);
  absl::Status expire_in(const RollupKey& key, const stats::Series& series, const Run& run);
  absl::StatusOr<stats::Rollup> stored(const char* select, const RollupKey& key);
  absl::Status store(const RollupKey& key, const stats::Rollup& rollup);

  Connection& db_;
  std::map<RollupKey, stats::Rollup> changes_;
  Bucket hour_, day_, all_;  // of durations; the last that were added to
  std::map<std::string, std::int64_t> series_;
};

}  // namespace kleptometrics::aggregator::sqlite
