#include "aggregator/stats/history.h"

#include <utility>

#include "aggregator/stats/peaks.h"

namespace kleptometrics::aggregator::stats {

History history_of(std::vector<Bucket> buckets, std::uint64_t min_count) {
  History history;
  history.buckets = std::move(buckets);
  std::erase_if(history.buckets, [](const Bucket& bucket) { return none_ended(bucket.stats); });
  const Peaks found = peaks_of(history.buckets, min_count);
  history.peak = found.peak;
  history.low = found.low;
  return history;
}

}  // namespace kleptometrics::aggregator::stats
