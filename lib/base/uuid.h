// Universally unique identifiers (RFC 9562) as the ids of runs. Shared by the client library, which makes
// them, and the aggregator, which reads them from strangers.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace kleptometrics {

// 16 bytes in network order; compares as the text form does. All zero is "none".
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const Uuid&) const = default;
  std::strong_ordering operator<=>(const Uuid& other) const noexcept {
    const auto high = half(0) <=> other.half(0);
    return high != 0 ? high : half(1) <=> other.half(1);
  }
  bool none() const noexcept { return *this == Uuid{}; }

  // Lower-case hexadecimal with hyphens, 36 characters.
  std::string text() const;
  // The 16 bytes as they travel in protobuf and lie in a store.
  std::string_view view() const noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

  // Half of it as a number, in network order: the first for 0, the second for 1.
  std::uint64_t half(std::size_t which) const noexcept {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data() + 8 * which, sizeof number);
    return std::endian::native == std::endian::little ? __builtin_bswap64(number) : number;
  }
  // The milliseconds since 1970 that an id of version 7 begins with (RFC 9562, section 5.7); nullopt for others.
  std::optional<std::uint64_t> version_7_millis() const noexcept {
    if (bytes[6] >> 4U != 7) return std::nullopt;
    return half(0) >> 16U;
  }

  // Reads the 36-character form, either case. nullopt for anything else.
  static std::optional<Uuid> parse(std::string_view text) noexcept;
  // Takes exactly 16 bytes. nullopt for any other length.
  static std::optional<Uuid> from_bytes(std::string_view bytes) noexcept;
  // Version 7: 48 bits of milliseconds of `wall`, then 74 random bits from the kernel. Any thread;
  // survives fork (a child never repeats its parent's ids).
  static Uuid make_v7(Nanos wall) noexcept;
};

}  // namespace kleptometrics
