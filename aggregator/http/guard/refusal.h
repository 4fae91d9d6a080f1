// A request that the guard turns away itself, and the bytes that say so: an RFC 9457 problem in a response
// that closes the connection, so that what follows on it is never taken for a next request. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace kleptometrics::aggregator::http::guard {

struct Refusal {
  int status = 400;
  std::string detail{};     // one sentence for the sender; anything may be in it, it is escaped
  std::string challenge{};  // the field WWW-Authenticate; empty: none. No line breaks
};

// Headers that every response carries, refusals and answers alike, unless a handler gives its own value.
inline constexpr std::pair<std::string_view, std::string_view> kStandingHeaders[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'"},
};

inline constexpr std::string_view kProblemType = "application/problem+json";

// The status's registered name; "Error" for a status that the guard does not use.
std::string_view status_title(int status);

// {"type":"about:blank","title":…,"status":…,"detail":…}. Bytes of `detail` that are not printable ASCII are
// escaped one by one, so the result is valid JSON for any input.
std::string problem_body(int status, std::string_view detail);

// The whole response, head and body. A 503 carries `Retry-After: 1`.
std::string refusal_bytes(const Refusal& refusal);

}  // namespace kleptometrics::aggregator::http::guard
