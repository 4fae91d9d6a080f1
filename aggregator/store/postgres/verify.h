// Proves that rollups say what runs say.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/store/postgres/connection.h"

namespace kleptometrics::aggregator::postgres {

// Counts everything that is settled anew, a job at a time, in a transaction of one view. One sentence a difference, at
// most so many. Where runs have expired their rollups cannot be counted anew: those must then hold no less than the
// runs that are left, and days and all time must agree.
absl::StatusOr<std::vector<std::string>> verify(Connection& db, std::size_t differences_max);

}  // namespace kleptometrics::aggregator::postgres
