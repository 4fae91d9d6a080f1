// Which part of a whole was the slowest, and which the fastest: of the buckets of a history, the cells of a profile.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// Indexes: the highest and the lowest median, of equal ones the first.
struct Peaks {
  std::optional<std::size_t> peak, low;
};

// Parts have a member `stats`; sought are those with at least `min_count` values.
template <typename Part>
Peaks peaks_of(const std::vector<Part>& parts, std::uint64_t min_count) {
  Peaks found;
  const auto median = [&parts](std::size_t at) { return *parts[at].stats.median; };
  for (std::size_t at = 0; at < parts.size(); ++at) {
    const Stats& stats = parts[at].stats;
    if (stats.count < min_count || !stats.median) continue;
    if (!found.peak || median(at) > median(*found.peak)) found.peak = at;
    if (!found.low || median(at) < median(*found.low)) found.low = at;
  }
  return found;
}

// True if no run that ended is counted.
inline bool none_ended(const Stats& stats) {
  return stats.succeeded + stats.failed + stats.canceled + stats.crashed == 0;
}

}  // namespace kleptometrics::aggregator::stats
