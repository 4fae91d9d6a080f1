// Numbers as texts that compare bytewise as the numbers do: how sorted sets keep order where their scores, which are
// doubles, cannot hold nanoseconds. Pure; any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::redis {

// 8 bytes, big-endian.
inline std::string bytes_of(std::uint64_t number) {
  std::string out(8, '\0');
  for (unsigned i = 0; i < 8; ++i) out[i] = static_cast<char>(number >> (56 - 8 * i));
  return out;
}
// 0 of anything shorter.
inline std::uint64_t number_of(std::string_view bytes) {
  std::uint64_t number = 0;
  if (bytes.size() < 8) return 0;
  for (unsigned i = 0; i < 8; ++i) number = number << 8U | static_cast<unsigned char>(bytes[i]);
  return number;
}

// As unsigned numbers in the same order.
inline std::uint64_t raised(Nanos at) { return static_cast<std::uint64_t>(at) ^ (std::uint64_t{1} << 63U); }
inline Nanos lowered(std::uint64_t number) { return static_cast<Nanos>(number ^ (std::uint64_t{1} << 63U)); }
// Of numbers that are not NaN; both zeros are one.
inline std::uint64_t raised(double number) {
  const auto bits = std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number);
  return bits >> 63U != 0 ? ~bits : bits | std::uint64_t{1} << 63U;
}
inline double lowered_number(std::uint64_t number) {
  return std::bit_cast<double>(number >> 63U != 0 ? number & ~(std::uint64_t{1} << 63U) : ~number);
}

// An instant, in 8 bytes.
inline std::string place_of(Nanos at) { return bytes_of(raised(at)); }
// The place of a run or a finding in a list: its instant, then its id.
inline std::string place_of(Nanos at, const Uuid& id) { return place_of(at).append(id.view()); }
inline constexpr std::size_t kPlaceBytes = 24;
inline Nanos instant_of(std::string_view place) { return lowered(number_of(place)); }
inline Uuid id_of_place(std::string_view place) {
  return Uuid::from_bytes(place.size() < kPlaceBytes ? std::string_view() : place.substr(8, 16)).value_or(Uuid());
}

// 16 hexadecimal digits. Scripts compare texts as the server's locale has it, and only of these all locales agree.
inline std::string hex_of(std::uint64_t number) {
  std::string out(16, '0');
  for (unsigned i = 0; i < 16; ++i) out[i] = "0123456789abcdef"[(number >> (60 - 4 * i)) & 15U];
  return out;
}
// Of the first 16 of them; anything else counts as 0.
inline std::uint64_t number_of_hex(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text.substr(0, 16))
    number = number << 4U | static_cast<std::uint64_t>(c >= 'a' ? c - 'a' + 10 : c - '0');
  return number;
}

}  // namespace kleptometrics::aggregator::redis
