// The head of a request, request line and header lines, read strictly (RFC 9112): nothing behind the guard
// sees a head that was not taken apart here. Pure, linear in the bytes however they are cut into pieces, and
// fuzzed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/refusal.h"

namespace kleptometrics::aggregator::http::guard {

struct HeaderField {
  std::string name;   // lower case, token characters alone
  std::string value;  // trimmed; no control characters but tabs; bytes above 0x7f as they came
};

struct Head {
  std::string method;     // token characters, as sent: methods are case-sensitive
  std::string target;     // as sent, visible ASCII, not decoded
  int minor_version = 1;  // 1 or 0
  std::vector<HeaderField> fields;
  std::size_t bytes = 0;  // its length up to and with the empty line

  // The first field of that (lower-case) name, or null.
  const std::string* find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
};

// How far a head that is still arriving has been looked at: a value to keep beside the buffer and to reset
// with it.
struct HeadScan {
  std::size_t scanned = 0;
  std::size_t line_start = 0;
  std::size_t lines = 0;
};

struct NeedMore {};

// `bytes` begins where the request does and holds all that has arrived. Lines end in CRLF exactly. Refusals:
// 400 for what is not HTTP, 505 for another version of it, 414 and 431 as soon as a limit is passed, whether
// or not the head is complete.
std::variant<NeedMore, Head, Refusal> parse_head(std::string_view bytes, const GuardLimits& limits, HeadScan& scan);

}  // namespace kleptometrics::aggregator::http::guard
