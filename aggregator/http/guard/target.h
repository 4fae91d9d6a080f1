// The request target taken apart: path and query, percent-decoded once (RFC 3986). Pure, and fuzzed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kleptometrics::aggregator::http::guard {

struct Target {
  std::string path;                                        // begins with '/'; no control characters
  std::vector<std::pair<std::string, std::string>> query;  // in order, repeated keys kept; `+` is a space; no NUL
};

// Nothing where the target does not begin with '/', has a fragment, a percent sign without two hexadecimal
// digits, or decodes to a character excluded above.
std::optional<Target> parse_target(std::string_view target);

}  // namespace kleptometrics::aggregator::http::guard
