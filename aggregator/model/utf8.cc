#include "aggregator/model/utf8.h"

#include <cstddef>
#include <cstdint>

namespace kleptometrics::aggregator {
namespace {

constexpr std::size_t kShownBytesMax = 60;

// Length of the well-formed sequence that `text` begins with (RFC 3629, section 4), 0 if there is none.
std::size_t sequence(std::string_view text) noexcept {
  const auto byte = [text](std::size_t at) {
    return at < text.size() ? static_cast<std::uint8_t>(text[at]) : std::uint8_t{0};
  };
  const auto within = [](std::uint8_t value, std::uint8_t low, std::uint8_t high) {
    return value >= low && value <= high;
  };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (within(lead, 0xc2, 0xdf)) return within(byte(1), 0x80, 0xbf) ? 2 : 0;
  if (!within(byte(2), 0x80, 0xbf)) return 0;
  if (within(lead, 0xe0, 0xef)) {
    return within(byte(1), lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) ? 3 : 0;
  }
  if (!within(lead, 0xf0, 0xf4) || !within(byte(3), 0x80, 0xbf)) return 0;
  return within(byte(1), lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) ? 4 : 0;
}

bool control(char c) noexcept {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

bool valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool has_control(std::string_view text) noexcept {
  for (const char c : text) {
    if (control(c)) return true;
  }
  return false;
}

std::string quoted(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  const bool cut = text.size() > kShownBytesMax;
  const bool ascii_only = cut || !valid_utf8(text);
  std::string out = "`";
  for (const char c : text.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (control(c) || (ascii_only && byte >= 0x80)) {
      out += "\\x";
      out += hex[byte >> 4U];
      out += hex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + (cut ? "…`" : "`");
}

}  // namespace kleptometrics::aggregator
