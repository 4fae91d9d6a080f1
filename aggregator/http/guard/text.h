// The few character rules of HTTP (RFC 9110, section 5.6), independent of the locale. Pure.
#pragma once

#include <string>
#include <string_view>

namespace kleptometrics::aggregator::http::guard {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A character of a method or of a header's name.
inline bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c != '\0' && kMarks.find(c) != kMarks.npos);
}

inline bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// Without spaces and tabs at both ends.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Calls `each` with every element of a comma-separated header value, trimmed.
template <typename Each>
void for_each_element(std::string_view list, Each each) {
  for (;;) {
    const std::size_t comma = list.find(',');
    each(trimmed(list.substr(0, comma)));
    if (comma == list.npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace kleptometrics::aggregator::http::guard
