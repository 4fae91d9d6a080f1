// SQLite's result codes as the errors of the store's contract (store.h).
#pragma once

#include <string_view>

#include "absl/status/status.h"

struct sqlite3;

namespace kleptometrics::aggregator::sqlite {

// `code` is an extended result code, `db` (may be null) the connection that gave it. The message is
// `context: what SQLite says`
// (an empty context: only that). Unavailable: busy, full, read only for now, out of memory or
// descriptors. FailedPrecondition: no database. DataLoss: corrupt, or reading or writing failed. Internal:
// the rest.
absl::Status status_of(int code, sqlite3* db, std::string_view context);

// The same error with `context: ` before its message.
absl::Status within(std::string_view context, const absl::Status& status);

}  // namespace kleptometrics::aggregator::sqlite
