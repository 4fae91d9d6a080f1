// The tables, and how older files become this build's. What each table is for stands in README.md beside.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

inline constexpr int kSchemaVersion = 4;

// Version of the schema; 0 for a file that was just made. FailedPrecondition if it is newer than this build, or no file
// of ours.
absl::StatusOr<int> version_of(Connection& connection);
// Brings the schema to this build's, each step in a transaction. Tables of an older version whose rows are still to be
// moved stay until they are empty: see migration.h.
absl::Status upgrade(Connection& writer, int version);

}  // namespace kleptometrics::aggregator::sqlite
