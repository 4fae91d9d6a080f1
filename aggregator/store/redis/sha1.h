// SHA-1 (RFC 3174), by which the server knows the scripts that it was given. For names alone: it keeps nothing secret
// and nothing safe. Pure.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kleptometrics::aggregator::redis {

class Sha1 {
 public:
  // 40 lower-case hexadecimal digits.
  static std::string hex(std::string_view text) {
    Sha1 sum;
    std::string padded(text);
    padded += '\x80';
    while (padded.size() % 64 != 56) padded += '\0';
    for (unsigned shift = 64; shift > 0; shift -= 8)
      padded += static_cast<char>((std::uint64_t{text.size()} * 8) >> (shift - 8));
    for (std::size_t at = 0; at < padded.size(); at += 64) sum.add(std::string_view(padded).substr(at, 64));
    std::string out;
    for (const std::uint32_t word : sum.state_) {
      for (unsigned shift = 32; shift > 0; shift -= 4) out += "0123456789abcdef"[(word >> (shift - 4)) & 15U];
    }
    return out;
  }

 private:
  void add(std::string_view block) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8U | static_cast<unsigned char>(block[i]);
    for (std::size_t i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = state_;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::uint32_t mixed = i < 20              ? ((b & c) | (~b & d))
                                  : i < 40 || i >= 60 ? b ^ c ^ d
                                                      : (b & c) | (b & d) | (c & d);
      constexpr std::array<std::uint32_t, 4> kAdded = {0x5a827999U, 0x6ed9eba1U, 0x8f1bbcdcU, 0xca62c1d6U};
      const std::uint32_t next = std::rotl(a, 5) + mixed + e + w[i] + kAdded[i / 20];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    const std::array<std::uint32_t, 5> sums = {a, b, c, d, e};
    for (std::size_t i = 0; i < 5; ++i) state_[i] += sums[i];
  }

  std::array<std::uint32_t, 5> state_ = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U};
};

}  // namespace kleptometrics::aggregator::redis
