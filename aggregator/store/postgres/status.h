// What PostgreSQL and libpq say, as the errors of the store's contract (store.h). Any thread.
#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

struct pg_result;
struct pg_conn;

namespace kleptometrics::aggregator::postgres {

// Of a result that is an error. Unavailable: the server shuts down, has no room, takes no writes, or broke the
// statement off; also where two transactions got into each other's way: see in_the_way(). PermissionDenied and
// DataLoss as they are called; Internal: the rest. The values of rows are not told.
absl::Status status_of(const pg_result* result);
// Of a connection that could not be made, or broke.
absl::Status status_of(const pg_conn* connection);

// True if the transaction failed because of another one, so that it may well succeed when it is tried again: a
// deadlock, a row that another one inserted or changed meanwhile.
bool in_the_way(const absl::Status& status);
// True if the server takes no writes: another one may be found that does.
bool read_only(const absl::Status& status);

// Told of stored rows that cannot be read, and are left out of answers: `what` names one, the same each time.
using Damage = absl::FunctionRef<void(std::string_view what, const absl::Status& why)>;

// The same error, with `context: ` before its message, and nothing beside it that only this room knows.
absl::Status within(std::string_view context, const absl::Status& status);

}  // namespace kleptometrics::aggregator::postgres
