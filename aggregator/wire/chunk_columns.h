// What the writer and the reader of chunks agree on beside chunk.proto. Internal to this room. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aggregator/wire/packed.h"
#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::wire {

inline constexpr std::uint32_t kFormat = 1;     // that is written; older ones are read
inline constexpr std::size_t kSharedMax = 255;  // bytes that a string shares with the one before, at either end
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

// Of the three parts of an id of version 7 (RFC 9562, section 5.7) the two behind the time.
inline constexpr unsigned kIdBitsA = 12, kIdBitsB = 62;
inline constexpr std::uint64_t kVersion7 = 7, kVariant = 2;
inline std::uint64_t id_a_of(const Uuid& id) { return id.half(0) & ((1U << kIdBitsA) - 1); }
inline std::uint64_t id_b_of(const Uuid& id) { return id.half(1) & ((std::uint64_t{1} << kIdBitsB) - 1); }
// Whether nothing else is in it but the time.
inline bool only_version_7(const Uuid& id) {
  return id.version_7_millis().has_value() && id.half(1) >> kIdBitsB == kVariant;
}
inline Uuid id_of_version_7(std::uint64_t millis, std::uint64_t a, std::uint64_t b) {
  const std::uint64_t halves[] = {millis << 16U | kVersion7 << kIdBitsA | a, kVariant << kIdBitsB | b};
  Uuid id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<std::uint8_t>(halves[i / 8] >> (56 - 8 * (i % 8)));
  return id;
}

inline Nanos millis_of(Nanos at) { return at / kMilli - (at % kMilli < 0 ? 1 : 0); }

}  // namespace kleptometrics::aggregator::wire
