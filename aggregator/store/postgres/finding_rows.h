// The rows of `findings`: put inside transactions that hold the findings' lock, so that they close one after the other;
// read by anyone. Delays and alerts lie in one table and differ in what their bytes say. One thread at a time for a
// connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/findings.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/status.h"

namespace kleptometrics::aggregator::postgres {

// Within a transaction that holds the lock. Puts the finding where there is none of its id, else what merged() makes of
// both; `job` is the key of its job.
absl::Status put_finding(Connection& db, std::int64_t job, const Delay& delay);
absl::Status put_finding(Connection& db, std::int64_t job, const Alert& alert);
// Within a transaction. Nothing is done where there is none.
absl::Status remove_delay(Connection& db, const Uuid& id);
// Removes what closed before the instant, at most `rows_max`. How many that were.
absl::StatusOr<std::size_t> expire_findings(Connection& db, Nanos horizon, std::size_t rows_max);

// Store::delays() and Store::alerts(), of a limit that is not 0. Begin and end a transaction.
absl::StatusOr<DelayPage> read_delays(Connection& db, const DelayFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit, Damage damage);
absl::StatusOr<AlertPage> read_alerts(Connection& db, const AlertFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit, Damage damage);
// Has a row if the run has any delay.
Statement any_delay_of(const Uuid& run);
absl::StatusOr<std::optional<Alert>> read_alert(Connection& db, const Uuid& id);
absl::StatusOr<DelayCounts> count_delays(Connection& db, const DelayFilter& filter);
absl::StatusOr<AlertCounts> count_alerts(Connection& db, const AlertFilter& filter);

}  // namespace kleptometrics::aggregator::postgres
