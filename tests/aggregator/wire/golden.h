// Files of bytes that were written once, as hexadecimal digits: golden/NAME.hex beside the tests.
#pragma once

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {

inline std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    const unsigned value = static_cast<unsigned char>(byte);
    hex += "0123456789abcdef"[value >> 4U];
    hex += "0123456789abcdef"[value & 15U];
  }
  return hex;
}

inline std::string bytes_of_hex(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes += static_cast<char>(kDigits.find(hex[at]) << 4U | kDigits.find(hex[at + 1]));
  return bytes;
}

// The digits of the file.
inline std::string golden(const std::string& name) {
  std::ifstream in(KLEPTO_GOLDEN "/" + name + ".hex");
  REQUIRE(in.good());
  std::string hex{std::istreambuf_iterator<char>(in), {}};
  hex.erase(std::remove_if(hex.begin(), hex.end(), [](unsigned char c) { return std::isspace(c) != 0; }), hex.end());
  return hex;
}

}  // namespace kleptometrics::aggregator::wire
