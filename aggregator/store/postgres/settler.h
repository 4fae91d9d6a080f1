// Keeps rollups in step with runs: adds up what was committed since, takes out what is replaced, and what expires
// leaves its sums behind. Everything here is done by whoever holds the settling lock, of which there is one among all
// processes. One thread at a time; borrows the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/rollup_rows.h"
#include "aggregator/store/rollup_sums.h"

namespace kleptometrics::aggregator::postgres {

// Of a row r of runs: its run is in the rollups, if it has ended.
#define KLEPTO_SETTLED "NOT EXISTS (SELECT 1 FROM log l WHERE l.change = r.change AND NOT l.settled)"

class Settler {
 public:
  explicit Settler(Connection& db) : db_(db), rows_(db) {}

  // In a transaction of its own, which waits for the lock or, without `patient`, does nothing where another has it.
  // Takes the oldest commits that wait, of about so many runs. How many commits that were; 0: none waits.
  absl::StatusOr<std::size_t> settle(std::size_t runs_max, bool patient);

  // Within a transaction. Taken until its end.
  absl::Status lock();
  // A run as the rollups hold it.
  struct Counted {
    std::int64_t job = 0;
    const Run* run = nullptr;
  };
  // Under the lock, where the rows of runs are other ones already: these are taken out of the rollups.
  absl::Status withdraw(const std::vector<Counted>& runs);
  // Under the lock: removes runs of the job that have ended and were kept since before `horizon`, at most `runs_max`.
  // Their ids are remembered until `forget_at`. How many that were.
  absl::StatusOr<std::size_t> expire(std::int64_t job, Nanos horizon, Nanos forget_at, std::size_t runs_max);

 private:
  struct Ended {
    std::int64_t job = 0;
    Run run;
  };
  using Hours = std::map<RollupKey, std::vector<const Run*>>;

  absl::StatusOr<std::size_t> settle_locked(std::size_t runs_max);
  absl::Status find_runs_of(std::int64_t change, std::vector<Ended>& ended);
  absl::Status find_jobs(std::vector<Ended>& ended);
  absl::Status add_up(const std::vector<Ended>& ended);
  absl::Status flush(Rollups changes, const Hours& hours);
  absl::Status merge_hours(const Hours& hours, const std::set<RollupKey>& with_rows, const Rollups& days, Rollups& rows,
                           Rollups& known);
  absl::StatusOr<std::set<RollupKey>> many_in(const std::vector<RollupKey>& hours);
  // Adds what is settled of the hours.
  absl::Status add_settled(const std::set<RollupKey>& hours, Rollups& rows);
  absl::Status keep_hours_of(const std::vector<Ended>& expiring);

  Connection& db_;
  RollupRows rows_;
};

}  // namespace kleptometrics::aggregator::postgres
