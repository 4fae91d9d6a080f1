#include "lib/src/text.h"

#include <cstdint>

#include "lib/base/limits.h"

namespace kleptometrics::internal {
namespace {

// Length of the well-formed UTF-8 sequence (Unicode 15, table 3-7) at the start of `text`; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max, bool* cut) {
  static constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (length == 0) *cut = true;
    if (out.size() + piece.size() > bytes_max) {
      *cut = true;
      break;
    }
    out += piece;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string clean_name(std::string_view name, std::size_t bytes_max, char separator, bool* cut) {
  std::string out = clean_text(name, bytes_max, cut);
  for (char& c : out) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte >= 0x20 && byte != 0x7f && (separator == '\0' || c != separator)) continue;
    c = '_';
    *cut = true;
  }
  if (out.empty()) {
    out = "_";
    *cut = true;
  }
  return out;
}

std::string clean_job(std::string_view name, bool* cut) {
  static constexpr std::string_view kPunctuation = "._:-";
  std::string out(name.substr(0, limits::job_name_bytes_max));
  if (out.size() != name.size() || out.empty()) *cut = true;
  if (out.empty()) out = "unnamed";
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (is_alnum(out[i]) || (i > 0 && (out[i] == '_' || kPunctuation.find(out[i]) != std::string_view::npos))) continue;
    out[i] = i == 0 ? 'x' : '_';
    *cut = true;
  }
  return out;
}

}  // namespace kleptometrics::internal
