// What a well-formed head must say before its body is read: who it is addressed to, how long its body is and
// of what type, and that no web page of another site sent it. A table of checks, the first that fails
// answers. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/http/guard/head.h"
#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/refusal.h"
#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http::guard {

struct Policy {
  // Names that a `Host` header may carry, lower case, without port (any port goes with them: a forwarded port
  // is no attack, a foreign name is). Empty: any Host, as on a Unix socket, which no web page reaches.
  std::vector<std::string> hosts;
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
