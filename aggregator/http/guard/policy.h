// What a well-formed head must say before its body is read: who it is addressed to, how long its body is and
// of what type, and that no web page of another site sent it. A table of checks, the first that fails
// answers. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/http/guard/head.h"
#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/refusal.h"
#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http::guard {

// Whether whoever sends that field `Authorization` (nullopt: none) may have the request answered. Any thread; quick.
using Authorize =
    std::function<std::optional<Denial>(const Request& request, std::optional<std::string_view> authorization)>;

struct Policy {
  // Names that a `Host` header may carry, lower case, without port (any port goes with them: a forwarded port
  // is no attack, a foreign name is); `*.example.org` stands for every name of one label more. Empty: any Host, as on a
  // Unix socket, which no web page reaches.
  std::vector<std::string> hosts;
  // Any IP address, too, as beyond loopback: what lures a browser here under a foreign name has a name.
  bool any_address = false;
  bool tls = false;       // of the scheme: it tells which origin is our own
  Authorize authorize{};  // null: nobody is asked for a key
};

// A head that passed.
struct Admission {
  Request request;                // all but its body; a HEAD is a GET here, its answer's body is left away later
  std::size_t body_bytes = 0;     // Content-Length
  bool keep_alive = true;         // the peer's wish
  bool expects_continue = false;  // it waits for `100 Continue` before it sends the body
};

std::variant<Admission, Refusal> admit(const Head& head, const Policy& policy, const GuardLimits& limits);

}  // namespace kleptometrics::aggregator::http::guard
