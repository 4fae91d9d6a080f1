// Which SQL answers a RunFilter: one range of one index, walked newest first.
#pragma once

#include <optional>
#include <string>

#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::sqlite {

// A few texts in all, so that each connection prepares them once. Four columns: the bytes of a run's snapshot, those of
// its annotations, its id, its start. The rows hold all runs of the filter and may hold others: ask matches() of each.
std::string select_sql(const RunFilter& filter);
// Binds what the text of the same filter leaves open. `filter` and `after` must outlive the execution.
void bind_select(Execution& query, const RunFilter& filter, const std::optional<RunCursor>& after);

// The ids of all runs in the range of a filter, read from an index alone, and what binds it.
inline constexpr char kSelectIds[] =
    "SELECT id FROM runs INDEXED BY runs_by_start WHERE (started_at, id) < (?1, ?2) AND started_at >= ?3"
    " ORDER BY started_at DESC, id DESC";
void bind_range(Execution& query, const RunFilter& filter, const std::optional<RunCursor>& after);

}  // namespace kleptometrics::aggregator::sqlite
