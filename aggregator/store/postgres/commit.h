// One commit, from the runs that come in to the transaction that holds them. Rows are read without locks and changed
// only where they are still as they were read; where not, the statement fails in a way that in_the_way() tells, and all
// of it is done again, at last without another commit beside it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::postgres {

// Keys of jobs that are known, by name: of rows that are committed. They never change. One thread at a time.
using JobKeys = absl::flat_hash_map<std::string, std::int64_t>;

// Within a transaction: the keys of the jobs, made where they are new. `names` are sorted, so that nobody waits in a
// circle. Those that were looked up are also put into `found`, for the caller to keep once it is committed.
absl::StatusOr<std::map<std::string, std::int64_t>> keys_of_jobs(Connection& db, const std::vector<std::string>& names,
                                                                 const JobKeys& known, JobKeys& found);

class Commit {
 public:
  // Borrows all of it. `alone`: waits until no other process commits, and lets none meanwhile.
  Commit(Connection& db, const JobKeys& known_jobs, Nanos now, bool alone, Damage damage)
      : db_(db), known_jobs_(known_jobs), now_(now), alone_(alone), damage_(damage) {}

  // The whole transaction. On an error it may still be open. Aborted: a basis is another.
  absl::StatusOr<std::vector<Applied>> run(const std::vector<Run>& runs, const std::vector<Basis>& bases);
  // How many runs now wait to be settled, and jobs that were not known.
  std::size_t unsettled() const { return unsettled_; }
  const JobKeys& found_jobs() const { return found_jobs_; }

 private:
  // A run as the commit leaves it, and as it was found.
  struct Staged {
    Run run;
    std::optional<Run> stored{};
    std::int64_t stored_change = 0;
    bool gone = false;     // expired
    bool damaged = false;  // stored, but cannot be read
    bool known = false;    // there is something to compare the next one with
    bool changed = false;  // is in order_
    std::int64_t job = 0;
  };

  absl::Status find(const std::vector<Run>& runs, const std::vector<Basis>& bases);
  absl::Status check(const std::vector<Basis>& bases) const;
  Applied apply(const Run& run);
  void note_change(Staged& staged);
  absl::Status find_jobs();
  std::vector<Staged*> changed();
  absl::Status store(const std::vector<Staged*>& changed);
  absl::Status take_back(const std::vector<Staged*>& replaced);
  Statement insert_log() const;
  Statement insert(const std::vector<Staged*>& fresh) const;
  std::string copy_of(const std::vector<Staged*>& fresh) const;
  Statement update(const std::vector<Staged*>& replaced) const;

  Connection& db_;
  const JobKeys& known_jobs_;
  const Nanos now_;
  const bool alone_;
  const Damage damage_;
  std::int64_t change_ = 0;
  std::size_t unsettled_ = 0;
  std::map<Uuid, Staged> staged_;     // by id: rows are written in that order
  std::vector<const Staged*> order_;  // those that changed, in the order in which they first did
  JobKeys found_jobs_;
};

}  // namespace kleptometrics::aggregator::postgres
