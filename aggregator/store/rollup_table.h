// Rollups as back ends keep them that have rows: a row a job, series and stretch of time. Here is what all of them do
// alike with such rows and is not plain addition: to take a run out again, and to remember the extremes of runs that
// expire. A back end says how a row is read and written. One thread at a time, inside a transaction of the back end.
#pragma once

#include <cstdint>
#include <functional>
#include <tuple>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator {

inline constexpr std::int64_t kDurations = 1;  // number of that series

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

inline Nanos length_of(stats::Resolution resolution) {
  return resolution == stats::Resolution::kHour ? stats::kHour : stats::kDay;
}
// Hours and days as rows have them: their number since 1970; 0 for all time.
inline std::int64_t number_of(stats::Resolution resolution, Nanos at) {
  if (resolution == stats::Resolution::kAll) return 0;
  const Nanos length = length_of(resolution);
  return at / length - (at % length < 0 ? 1 : 0);
}
// The way back, of one that is in the range of time.
inline Nanos start_of_number(stats::Resolution resolution, std::int64_t number) {
  return resolution == stats::Resolution::kAll ? 0 : number * length_of(resolution);
}

class RollupTable {
 public:
  virtual ~RollupTable() = default;

  // The runs of a job that started in [since, until) and have ended, but for the one that is taken out; with `in_hours`
  // only those that are counted in hours. Used to find a high or a low anew.
  using Others =
      std::function<absl::Status(Nanos since, Nanos until, bool in_hours, absl::FunctionRef<void(const Run&)> visit)>;
  // Takes out what RollupSums::add() counted.
  absl::Status remove(std::int64_t job, const Run& run, bool hour, const Others& others);
  // Remembers where a run that expires is the lowest or the highest of those of its hour or day that have: it may be so
  // of all of them again when another run is taken out.
  absl::Status expire(std::int64_t job, const Run& run);

 protected:
  // Number of the series, made if it is new.
  virtual absl::StatusOr<std::int64_t> key_of(const stats::Series& series) = 0;
  // As it is stored; empty where there is none.
  virtual absl::StatusOr<stats::Rollup> read(const RollupKey& key) = 0;
  // An empty one is not kept.
  virtual absl::Status store(const RollupKey& key, const stats::Rollup& rollup) = 0;
  // Rows of a table of their own: of hours and days, the lowest and the highest run of those that have expired.
  virtual absl::StatusOr<stats::Rollup> read_expired(const RollupKey& key) = 0;
  virtual absl::Status store_expired(const RollupKey& key, const stats::Rollup& rollup) = 0;
  // Every day of the job and series.
  virtual absl::Status each_day(std::int64_t job, std::int64_t series,
                                absl::FunctionRef<void(const stats::Rollup&)> visit) = 0;

 private:
  absl::Status remove_from(const RollupKey& key, const Run& run, const stats::Series& series, const Others& others);
  absl::Status add_up_again(const RollupKey& key, stats::Distribution& values, State state, const stats::Series& series,
                            const Others& others);
  absl::Status expire_in(const RollupKey& key, const stats::Series& series, const Run& run);
};

// True if both are sums of the same runs: equal, but for numbers that are no times, which round.
bool same(const stats::Rollup& a, const stats::Rollup& b);
// True if `more` counts no fewer runs and values than `less`, outcome by outcome.
bool holds(const stats::Rollup& more, const stats::Rollup& less);

}  // namespace kleptometrics::aggregator
