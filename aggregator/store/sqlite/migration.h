// Moves the runs that an older build kept a row each (schema version 1) to where this one keeps them, some at a time,
// each time in a transaction: killed half-way, it goes on at the next start.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/settler.h"

namespace kleptometrics::aggregator::sqlite {

// Used once, at the start, by the thread that opens the store. Borrows both.
class Migration {
 public:
  Migration(Connection& db, Settler& settler) : db_(db), settler_(settler) {}

  // Within a transaction: some runs go from the old table into the log. None: nothing is left to do. Rows that cannot
  // be read stay in the old table, and the log says so.
  absl::Status move_some(std::vector<RecentPtr>& moved);
  std::uint64_t moved() const { return moved_; }

 private:
  absl::StatusOr<bool> needed();

  Connection& db_;
  Settler& settler_;
  std::int64_t behind_ = 0;  // key of the last row that was looked at
  std::uint64_t moved_ = 0;
};

}  // namespace kleptometrics::aggregator::sqlite
