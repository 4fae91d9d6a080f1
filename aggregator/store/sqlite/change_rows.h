// The rows of the list of changes: what a commit brought, in as many rows as the log has of it, or the specification of
// a job. One thread at a time for the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/model/run.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/settled.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::sqlite {

struct ChangeRow {
  std::size_t items = 1;
  bool ends = true;          // its commit
  std::string_view job{};    // of a specification; empty: these are runs
  std::string_view bytes{};  // a chunk, or a specification
};

// Each is part of a transaction that the caller opens and ends.
absl::Status write_change(Connection& db, const ChangeRow& row);
// Runs that come once more, in the order given.
absl::Status write_changes(Connection& db, const std::vector<Run>& runs);
// Takes away what stands up to there; how many runs and specifications that were.
absl::StatusOr<std::uint64_t> drop_changes(Connection& db, std::int64_t upto);

absl::StatusOr<std::uint64_t> count_changes(Connection& db);
// Store::changes(), and no more than some MiB beyond whole commits. Told of rows that are damaged, and left out.
absl::StatusOr<Changes> read_changes(Connection& db, std::size_t limit, Settled::Damage damage);

}  // namespace kleptometrics::aggregator::sqlite
