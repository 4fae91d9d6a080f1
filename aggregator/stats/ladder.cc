#include "aggregator/stats/ladder.h"

#include <algorithm>
#include <cstddef>

namespace kleptometrics::aggregator::stats {
namespace {

// The first bucket that does not count as at most the bound: where the bound cuts one, its middle decides.
int end_of(std::uint64_t bound, int scale) {
  const int bucket = Sketch::bucket_of(bound) >> (Sketch::kScale - scale);
  return Sketch::value_of(bucket, scale) <= static_cast<double>(bound) ? bucket + 1 : bucket;
}

}  // namespace

std::vector<std::uint64_t> counts_up_to(const Distribution& values, std::span<const std::uint64_t> bounds) {
  std::vector<std::uint64_t> out;
  out.reserve(bounds.size());
  const Sketch& sketch = values.sketch;
  std::uint64_t count = sketch.zero_count();
  std::size_t at = 0;
  for (const std::uint64_t bound : bounds) {
    const std::ptrdiff_t end = static_cast<std::ptrdiff_t>(end_of(bound, sketch.scale())) - sketch.offset();
    for (; static_cast<std::ptrdiff_t>(at) < end && at < sketch.counts().size(); ++at) count += sketch.counts()[at];
    if (values.count == 0 || values.low.amount.nanos > bound) {
      out.push_back(0);
    } else {
      out.push_back(values.high.amount.nanos <= bound ? values.count : count);
    }
  }
  return out;
}

}  // namespace kleptometrics::aggregator::stats
