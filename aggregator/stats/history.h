// Statistics in stretches of time: hours, days, weeks, months. When one begins and ends is for the calendar of whoever
// asks (aggregator/query); here they are merely spans. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// The runs that started in [start, end).
struct Bucket {
  Nanos start = 0;
  Nanos end = 0;
  Stats stats;
};

struct History {
  std::vector<Bucket> buckets;           // in order of time; those without a run that ended are left out
  std::optional<std::size_t> peak, low;  // indexes: the highest and the lowest median, of equal ones the earliest
  Rounded rounded;                       // at the edges, or somewhere within: the stats of such a bucket say so too
};

// `buckets` in order of time. Peak and low are sought among those with at least `min_count` values.
History history_of(std::vector<Bucket> buckets, std::uint64_t min_count);

}  // namespace kleptometrics::aggregator::stats
