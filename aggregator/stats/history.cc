#include "aggregator/stats/history.h"

#include <utility>

namespace kleptometrics::aggregator::stats {
namespace {

bool empty(const Stats& stats) { return stats.succeeded + stats.failed + stats.canceled + stats.crashed == 0; }

}  // namespace

History history_of(std::vector<Bucket> buckets, std::uint64_t min_count) {
  History history;
  history.buckets = std::move(buckets);
  std::erase_if(history.buckets, [](const Bucket& bucket) { return empty(bucket.stats); });
  const auto median = [&history](std::size_t at) { return *history.buckets[at].stats.median; };
  for (std::size_t at = 0; at < history.buckets.size(); ++at) {
    const Stats& stats = history.buckets[at].stats;
    if (stats.count < min_count || !stats.median) continue;
    if (!history.peak || median(at) > median(*history.peak)) history.peak = at;
    if (!history.low || median(at) < median(*history.low)) history.low = at;
  }
  return history;
}

}  // namespace kleptometrics::aggregator::stats
