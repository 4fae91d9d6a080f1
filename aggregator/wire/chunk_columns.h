// What the writer and the reader of chunks agree on beside chunk.proto. Internal to this room. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/clock.h"

namespace kleptometrics::aggregator::wire {

using Numbers = std::vector<std::uint64_t>;

inline constexpr std::size_t kChecksumBytes = 4;
inline constexpr std::size_t kIdBytes = 16;
inline constexpr std::size_t kTimeBytes = 6;  // of an id of version 7: big-endian milliseconds, RFC 9562 section 5.7
inline constexpr Nanos kMilli = 1'000'000;

// Bits of the flags column. The lowest three hold the state.
enum Flag : std::uint64_t {
  kVerdict = 1U << 3U,
  kHttp = 1U << 4U,
  kInHours = 1U << 5U,
  kDuration = 1U << 6U,
  kFinished = 1U << 7U,
  kScheduled = 1U << 8U,
  kCpuUser = 1U << 9U,
  kCpuSystem = 1U << 10U,
  kMaxRss = 1U << 11U,
  kRead = 1U << 12U,
  kWrite = 1U << 13U,
};
inline constexpr std::uint64_t kStateMask = 7;

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}
// Differences wrap round as unsigned numbers do; so do the sums that undo them.
inline std::int64_t minus(Nanos a, Nanos b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
inline Nanos plus(Nanos a, std::int64_t b) {
  return static_cast<Nanos>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

inline Nanos millis_of(Nanos at) { return at / kMilli - (at % kMilli < 0 ? 1 : 0); }

}  // namespace kleptometrics::aggregator::wire
