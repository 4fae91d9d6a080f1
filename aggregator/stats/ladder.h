// How a distribution of times looks on a fixed ladder of bounds, as histograms that are no sketches want it. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::stats {

// How many of the values are at most each of the bounds (nanoseconds above 0, rising). Those that lie closer to a bound
// than the sketch's relative error may be counted on its other side, but never beyond the lowest and the highest value.
// Requires values that are times.
std::vector<std::uint64_t> counts_up_to(const Distribution& values, std::span<const std::uint64_t> bounds);

}  // namespace kleptometrics::aggregator::stats
