// The bytes of a journal (see journal.h for the why): offsets, marks, checksums. For writer and reader alone.
// Pure.
//
// The head is written twice, in its first and its second 2,048 bytes, each copy with its own CRC: whatever
// hits one leaves the other, with the key without which no record could be told from noise. Both copies keep
// their magic, version and CRC where they are in every future version.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "lib/journal/journal.h"

namespace kleptometrics::journal {

inline constexpr std::string_view kMagic = "KLEPTOJ1";
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kLive = 0x4556494c;  // "LIVE"
inline constexpr std::uint32_t kDead = 0x44414544;  // "DEAD"
inline constexpr std::uint32_t kOpen = 0x4e45504f;  // "OPEN"
inline constexpr std::uint32_t kFlagTerminal = 1;
inline constexpr std::size_t kHeadCopyBytes = kHeadBytes / 2;
inline constexpr std::size_t kHeadCrcAt = 1020;  // within a copy

// Enters every CRC of a record, so that bytes of another journal, or of a payload, never pass for one of
// ours.
using Key = std::uint64_t;

struct Head {
  Producer producer;
  std::uint64_t file_bytes = 0;
  Key key = 0;
};

// What kHeadBytes bytes, or fewer, say.
struct HeadRead {
  ReadError error = ReadError::kDamagedHead;  // kNone, kNewer or kDamagedHead
  Head head;                                  // if kNone
  std::array<Key, 2> keys{};                  // as they stand in the copies, for kDamagedHead
};

// Writes kHeadBytes bytes. Texts too long for their place are cut.
void write_head(const Head& head, char* out) noexcept;
HeadRead read_head(std::string_view bytes);

// The records that the writer has dropped so far, kept in the head while it lives.
void store_dropped(char* head, std::uint64_t count) noexcept;
std::uint64_t read_dropped(std::string_view bytes) noexcept;

struct RecordHead {
  std::uint32_t mark = 0;
  std::uint32_t length = 0;
  std::uint64_t sequence = 0;
  std::uint32_t flags = 0;
  std::uint32_t crc = 0;
};

std::uint32_t record_crc(Key key, const RecordHead& head, std::string_view payload) noexcept;
// Everything but the mark, which goes last (store_mark).
void write_record_head(const RecordHead& head, char* out) noexcept;
RecordHead read_record_head(const char* at) noexcept;
// `at` lies at the beginning of a unit. Whoever sees the mark sees all that was written before it.
void store_mark(char* at, std::uint32_t mark) noexcept;

// One flipped bit does not hide a record or an area: other marks are 8 or more bits away.
constexpr bool looks_like(std::uint32_t mark, std::uint32_t wanted) noexcept {
  const std::uint32_t differing = mark ^ wanted;
  return (differing & (differing - 1)) == 0;
}

// The part of an area that never changes begins behind its head, the part that does on the next multiple of 8.
constexpr std::size_t open_part_at(std::size_t fixed_bytes) noexcept { return (fixed_bytes + 7) / 8 * 8; }

// How many units a record with so long a payload takes.
constexpr std::size_t units_of(std::size_t payload_bytes) noexcept {
  return (kRecordHeadBytes + payload_bytes + kUnitBytes - 1) / kUnitBytes;
}

template <typename Integer>
constexpr Integer little_endian(Integer value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  Integer swapped = 0;
  for (std::size_t i = 0; i < sizeof value; ++i, value >>= 8U) swapped = swapped << 8U | (value & 255U);
  return swapped;
}

template <typename Integer>
void put(char* at, Integer value) noexcept {
  value = little_endian(value);
  std::memcpy(at, &value, sizeof value);
}

template <typename Integer>
Integer get(const char* at) noexcept {
  Integer value = 0;
  std::memcpy(&value, at, sizeof value);
  return little_endian(value);
}

}  // namespace kleptometrics::journal
