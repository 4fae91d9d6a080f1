// Where a run lies, and how it is found by its id, as whole numbers. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>

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

// A number for the id that grows with time where the id does (version 7): its milliseconds and 15 bits made from all
// the others; of other ids a negative one. Not unique: who finds it looks at the whole id. Small, since every run has
// one.
inline std::int64_t key_of(const Uuid& id) {
  // The finalizer of MurmurHash3 (A. Appleby, 2011), over both halves.
  std::uint64_t mixed = id.half(1) ^ (id.half(0) * 0x9e37'79b9'7f4a'7c15U);
  mixed = (mixed ^ mixed >> 33U) * 0xff51'afd7'ed55'8ccdU;
  mixed = (mixed ^ mixed >> 33U) * 0xc4ce'b9fe'1a85'ec53U;
  mixed ^= mixed >> 33U;
  const std::optional<std::uint64_t> millis = id.version_7_millis();
  if (!millis) return static_cast<std::int64_t>(mixed | std::uint64_t{1} << 63U);
  return static_cast<std::int64_t>(*millis << 15U | mixed >> 49U);
}

}  // namespace kleptometrics::aggregator::sqlite
