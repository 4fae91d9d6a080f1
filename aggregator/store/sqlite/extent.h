// What a row says of the runs in a chunk, or of those of a job in it. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "aggregator/wire/chunk.h"

namespace kleptometrics::aggregator::sqlite {

struct Extent {
  Nanos first = 0, last = 0;
  std::int64_t states = 0, loose = 0;

  void add(const wire::Chunked& each) {
    const Nanos start = each.run->started_at;
    first = states == 0 ? start : std::min(first, start);
    last = states == 0 ? start : std::max(last, start);
    states |= std::int64_t{1} << static_cast<int>(each.run->state);
    loose += each.in_hours ? 0 : 1;
  }
};

inline std::map<std::string_view, Extent> extents_by_job(const std::vector<wire::Chunked>& chunked) {
  std::map<std::string_view, Extent> extents;
  for (const wire::Chunked& each : chunked) extents[each.run->job].add(each);
  return extents;
}

inline Extent extent_of(const std::vector<wire::Chunked>& chunked) {
  Extent extent;
  for (const wire::Chunked& each : chunked) extent.add(each);
  return extent;
}

// Is in the list of those that failed, crashed or were canceled.
inline bool bad(const Run& run) { return run.state != State::kSucceeded; }

}  // namespace kleptometrics::aggregator::sqlite
