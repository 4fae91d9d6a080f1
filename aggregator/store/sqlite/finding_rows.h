// The rows of `findings` and `watch_states`: put by the committer inside its transactions, read by anyone on a
// connection of their own. Delays and alerts lie in one table and differ in what their bytes say. One thread at a time
// for a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/findings.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/settled.h"

namespace kleptometrics::aggregator::sqlite {

// Within a transaction. Puts the finding where there is none of its id, else what merged() makes of both; `job` is the
// key of its job.
absl::Status put_finding(Connection& db, std::int64_t job, const Delay& delay);
absl::Status put_finding(Connection& db, std::int64_t job, const Alert& alert);
// Within a transaction. Nothing is done where there is none.
absl::Status remove_delay(Connection& db, const Uuid& id);
// Within a transaction. No bytes: none are kept.
absl::Status put_watch_state(Connection& db, std::int64_t job, std::string_view bytes);
// True if expire_findings() has something to do.
absl::StatusOr<bool> findings_due(Connection& db, Nanos horizon);
// Within a transaction. Removes what closed before the instant, at most `rows_max`. True if more may be left.
absl::StatusOr<bool> expire_findings(Connection& db, Nanos horizon, std::size_t rows_max);

// Store::delays() and Store::alerts(), of a limit that is not 0. Begins and ends a transaction. Rows that are damaged
// are told of, and left out.
absl::StatusOr<DelayPage> read_delays(Connection& db, const DelayFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit,
                                      Settled::Damage damage);
absl::StatusOr<AlertPage> read_alerts(Connection& db, const AlertFilter& filter,
                                      const std::optional<FindingCursor>& after, std::size_t limit,
                                      Settled::Damage damage);
// Unknown: it is damaged.
absl::StatusOr<std::optional<Alert>> read_alert(Connection& db, const Uuid& id);
absl::StatusOr<DelayCounts> count_delays(Connection& db, const DelayFilter& filter);
absl::StatusOr<AlertCounts> count_alerts(Connection& db, const AlertFilter& filter);
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> read_watch_states(Connection& db);

}  // namespace kleptometrics::aggregator::sqlite
