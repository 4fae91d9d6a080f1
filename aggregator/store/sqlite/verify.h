// Proves that what is derived from runs says what they say: rollups, ids, slices, the list of what failed.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

// Counts everything that is settled anew, a job at a time, on a connection inside a transaction. One sentence a
// difference, at most so many. Where runs have expired their rollups cannot be counted anew: those must then hold no
// less than the runs that are left, and hours, days and all time must agree.
absl::StatusOr<std::vector<std::string>> verify(Connection& db, std::size_t differences_max);

}  // namespace kleptometrics::aggregator::sqlite
