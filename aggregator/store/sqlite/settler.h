// Writes the log and the tables, and keeps everything that is derived from runs in step: ids, slices, rollups, heads of
// jobs. The committer uses it on the writing connection; every call is a part of a transaction that
// the caller opens and ends. One thread at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/settled.h"
#include "aggregator/store/sqlite/settlement.h"
#include "aggregator/store/sqlite/tail.h"

namespace kleptometrics::aggregator::sqlite {

class Settler {
 public:
  // Borrows the connection.
  explicit Settler(Connection& db) : db_(db), settled_(db) {}

  // As Settled::find; at once where the id is newer than all that are settled.
  absl::StatusOr<std::optional<Settled::Found>> find(const Uuid& id) {
    if (key_of(id) > last_id_) return std::optional<Settled::Found>();
    return settled_.find(id);
  }

  // Writes the runs into the log, from where load() brings them back; `pass_on`: into the list of changes, too.
  absl::Status append(const std::vector<RecentPtr>& runs, bool pass_on);
  // Once, at the start. What the log holds, in the order of its commits. Told of rows that are damaged, and left out.
  absl::Status load(Settled::Damage damage, absl::FunctionRef<void(RecentPtr)> visit);

  // The tail's jobs, for work_out(), those that are new with a key. `make`: may write; else nullopt if it would have
  // to.
  absl::StatusOr<std::optional<std::vector<JobOfTail>>> jobs_of(const Tail& tail, bool make);
  // The last row of the log; 0: it is empty.
  absl::StatusOr<std::int64_t> log_end();
  // What was worked out of the tail becomes settled, and rows of the log up to `log_end` are gone. The caller drops the
  // tail after the commit.
  absl::Status settle(Settlement& settlement, const Tail& tail, std::int64_t log_end);
  // Takes a run that has ended out of the tables and sums, as if it had never come.
  absl::Status withdraw(const Settled::Found& found);
  // Removes what the job's runs add to the tables but rollups, of those kept since before `horizon`, from at most
  // `chunks_max` chunks. Their ids are remembered until `forget_at`. True if more is left.
  absl::StatusOr<bool> expire(const std::string& job, Nanos horizon, Nanos forget_at, std::size_t chunks_max,
                              std::uint64_t& expired);
  // True if forget() has something to do.
  absl::StatusOr<bool> forget_due(Nanos now);
  // Forgets ids whose time has come, of at most `chunks_max` chunks. True if more is left.
  absl::StatusOr<bool> forget(Nanos now, std::size_t chunks_max);

  // Key of the job, made if it is new.
  absl::StatusOr<std::int64_t> key_of_job(const std::string& name);
  // After a rollback: what was made may be gone.
  void reset();

 private:
  struct Contents {
    std::vector<Run> runs;
    std::vector<wire::Chunked> chunked;
    std::vector<Uuid> gone;
  };
  absl::Status load_row(std::int64_t key, Settled::Damage damage, absl::FunctionRef<void(RecentPtr)> visit);
  absl::Status write_chunks(const std::vector<NewChunk>& chunks, std::int64_t first);
  absl::Status write_slices(std::int64_t chunk, const std::vector<Slice>& slices);
  absl::Status write_ids(const std::vector<NewId>& ids, std::int64_t first_chunk);
  absl::Status close(const Recent& recent);
  absl::Status write_open(const Recent& recent);
  absl::Status update_heads(const Tail& tail);
  absl::Status update_head(const std::string& job, const Tail::OfJob& recent, const Tail& tail);
  absl::Status find_head(const std::string& job);
  absl::StatusOr<Contents> read_chunk(std::int64_t key);
  absl::Status rewrite(std::int64_t key, const Contents& before, const Contents& after, Nanos forget_at);

  Connection& db_;
  Settled settled_;
  absl::flat_hash_map<std::string, std::int64_t> job_keys_;  // committed, or of the open transaction
  // No key of a settled id is above this. Too high, after a rollback, costs no more than a look.
  std::int64_t last_id_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace kleptometrics::aggregator::sqlite
