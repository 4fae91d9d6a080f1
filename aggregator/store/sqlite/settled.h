// Reading of what has been settled: chunks, their slices, open runs. The readers and the committer use it, each on a
// connection of its own, inside a transaction. One thread at a time; borrows the connection.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/keys.h"
#include "aggregator/store/store.h"
#include "aggregator/wire/chunk.h"

namespace kleptometrics::aggregator::sqlite {

// Rows of open_runs that are not to be seen: newer snapshots of their runs are elsewhere.
using Hidden = absl::flat_hash_set<std::int64_t>;

class Settled {
 public:
  // Told of what is damaged, and left out: `what` names it, the same each time.
  using Damage = absl::FunctionRef<void(std::string_view what, const absl::Status& why)>;

  explicit Settled(Connection& db) : db_(db) {}

  struct Found {
    Place place;
    bool gone = false;      // expired: only its id is known, `run` is empty
    bool in_hours = false;  // counted in its hour
    Run run{};
  };
  // nullopt: unknown. Unknown (the error): there is something of that id, and it is damaged. chunk() likewise.
  absl::StatusOr<std::optional<Found>> find(const Uuid& id);
  // 0: unknown.
  absl::StatusOr<std::int64_t> job_key(std::string_view name);
  absl::StatusOr<wire::ChunkReader> chunk(std::int64_t key);

  // At most `limit` runs of the filter behind `after`, newest first.
  absl::StatusOr<std::vector<Run>> newest(const RunFilter& filter, const std::optional<RunCursor>& after,
                                          std::size_t limit, const Hidden& hidden, Damage damage);
  // Every run of the filter, in no order, with whether it is counted in its hour. With `loose` only those are
  // looked for that are not.
  absl::Status scan(const RunFilter& filter, const Hidden& hidden, bool loose, Damage damage,
                    absl::FunctionRef<void(Run&&, bool in_hours)> visit);

 private:
  // A filter with what it comes to here.
  struct Selection {
    const RunFilter& filter;
    std::int64_t job;  // 0: of every job
    Nanos since, end;
    std::int64_t states;  // bit i for state i
    bool loose = false;   // only of those that are counted in no hour
  };
  // nullopt: the job is unknown.
  absl::StatusOr<std::optional<Selection>> select(const RunFilter& filter, Nanos end);
  // The runs of the selection in a chunk (or in a slot of it), as far as `wants` says so of the start.
  absl::Status each_in_chunk(const Selection& of, std::int64_t key, std::optional<std::uint32_t> slot, Damage damage,
                             absl::FunctionRef<bool(Nanos)> wants, absl::FunctionRef<void(Run&&, bool in_hours)> visit);
  // Newest first, as long as `wants` says so of the start.
  absl::Status each_open(const Selection& of, const Hidden& hidden, Damage damage, absl::FunctionRef<bool(Nanos)> wants,
                         absl::FunctionRef<void(Run&&)> visit);

  Connection& db_;
};

// The start and id of a run, as lists are ordered.
bool newer(const Run& a, const Run& b);
// True if the run comes behind the cursor in a list.
bool behind(const Run& run, const std::optional<RunCursor>& after);
// As Damage, where someone else tells.
inline void leave_out_quietly(std::string_view, const absl::Status&) {}
// The error of something that is damaged, as Settled gives it: Unknown in the place of DataLoss.
absl::Status damaged(const absl::Status& status);

}  // namespace kleptometrics::aggregator::sqlite
