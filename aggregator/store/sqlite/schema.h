// What lies in the file: tables, indexes, and the version that says which build made them.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

inline constexpr int kSchemaVersion = 1;

// The version of the file, 0 for an empty one; changes nothing. FailedPrecondition if the file is a
// stranger's, or newer than kSchemaVersion.
absl::StatusOr<int> version_of(Connection& connection);

// Brings a file of an older version to kSchemaVersion, each step in one transaction of its own, so that a
// kill half-way leaves a schema that is whole.
absl::Status upgrade(Connection& writer, int version);

}  // namespace kleptometrics::aggregator::sqlite
