// What a commit, or an expiry, does to the rollups: collected run by run, then written as part of a transaction. A
// value is taken out by subtraction; where it was a low or a high, that is found anew among what is left, which has to
// be read first. One thread; for one attempt.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "aggregator/model/run.h"
#include "aggregator/stats/rollup.h"
#include "aggregator/store/redis/connection.h"
#include "aggregator/store/redis/keys.h"
#include "aggregator/store/redis/rollup_hash.h"

namespace kleptometrics::aggregator::redis {

class RollupChanges {
 public:
  explicit RollupChanges(const Keys& keys) : keys_(keys) {}

  // A run that has ended, in what state of its own, comes in.
  void add(const Run& run);
  // It is replaced by another version; both have ended.
  void replace(const Run& before, const Run& after);
  // It stays counted, but can no longer be read.
  void expire(const Run& run);

  // Finds the lows and highs anew that are taken out, and watches what that rests on. Before write(), on the connection
  // of the transaction.
  absl::Status find_extremes(Connection& connection);
  void write(Pipeline& out) const;

 private:
  struct Bucket {
    std::string job;
    stats::Resolution resolution;
    Nanos start;
    std::string series;
    auto operator<=>(const Bucket&) const = default;
  };
  struct OfSeries {
    stats::Series series;
    RollupChange change;
  };
  using Changes = std::map<Bucket, OfSeries>;
  // An outcome of a bucket that has values taken out.
  struct Place {
    Changes::iterator at;
    std::size_t outcome;
  };

  RollupChange& change(const Run& run, stats::Resolution resolution, const stats::Series& series);
  void add(const Run& run, const stats::Series& series);
  void take(const Run& run, const stats::Series& series);
  std::string key_of(const Bucket& bucket) const;
  std::vector<Place> places_of_taken();
  absl::Status read_points(Connection& connection, const std::vector<Place>& places, bool watch,
                           std::vector<Place>& hit, std::vector<RollupChange::Found>& expired);
  absl::Status find_among_runs(Connection& connection, const Place& place, const RollupChange::Found& expired);
  absl::Status find_among_days(Connection& connection, const Place& place);

  const Keys& keys_;
  Changes changes_;
  std::set<std::string> jobs_taken_from_;
  std::set<Uuid> replaced_;
};

}  // namespace kleptometrics::aggregator::redis
