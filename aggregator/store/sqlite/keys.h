// Where a run lies, and how it is found by its id, as whole numbers. Pure; any thread.
#pragma once

#include <cstdint>

#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::sqlite {

// A run that has ended lies in a slot of a chunk; one that has not in a row of its own.
inline constexpr std::uint32_t kSlotsMax = 256;
struct Place {
  std::int64_t number = 0;  // as stored: chunk * 256 + slot, or minus the key of the row

  static Place in_chunk(std::int64_t chunk, std::uint32_t slot) { return {chunk * kSlotsMax + slot}; }
  static Place open(std::int64_t key) { return {-key}; }
  bool is_open() const { return number < 0; }
  std::int64_t chunk() const { return number / kSlotsMax; }
  std::uint32_t slot() const { return static_cast<std::uint32_t>(number % kSlotsMax); }
  std::int64_t open_key() const { return -number; }
};

// A number for the id that grows with time where the id does (version 7): the milliseconds and 15 random bits; of other
// ids the first bits. Not unique: who finds it looks at the whole id. Small, since every run has one.
inline std::int64_t key_of(const Uuid& id) {
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) first = first << 8U | id.bytes[i];
  if (id.bytes[6] >> 4U != 7) return static_cast<std::int64_t>(first >> 1U);
  const std::uint64_t millis = first >> 16U;
  const std::uint64_t random = (first & 0xfffU) << 3U | (id.bytes[8] >> 3U & 7U);
  return static_cast<std::int64_t>((millis << 15U | random) & 0x7fff'ffff'ffff'ffffU);
}

}  // namespace kleptometrics::aggregator::sqlite
