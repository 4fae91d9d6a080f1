// What the guard did, for whoever exposes it: everything that was turned away is counted.
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics::aggregator::http::guard {

// Since the start, over both addresses.
struct GuardCounts {
  std::uint64_t connections = 0;        // accepted
  std::uint64_t requests = 0;           // handed to the handler's threads
  std::uint64_t refused = 0;            // 4xx and 501, 505 of the guard: the request was at fault
  std::uint64_t unauthorized = 0;       // of them 401: no key, or none that is known
  std::uint64_t forbidden = 0;          // of them 403: the key's scope does not reach, or a foreign origin
  std::uint64_t handshakes_failed = 0;  // TLS was not agreed on: garbage, too slow, no common version
  std::uint64_t overloaded = 0;         // 503 of the guard: a limit over all connections was reached
  std::uint64_t timed_out = 0;          // heads, bodies and answers that took too long
  std::uint64_t evicted = 0;            // idle connections closed early to make room
  std::uint64_t accept_failures = 0;    // for want of descriptors or memory
};

// Any thread.
struct AtomicCounts {
  std::atomic<std::uint64_t> connections{0}, requests{0}, refused{0}, unauthorized{0}, forbidden{0},
      handshakes_failed{0}, overloaded{0}, timed_out{0}, evicted{0}, accept_failures{0};

  GuardCounts read() const {
    return {connections.load(),       requests.load(),   refused.load(),   unauthorized.load(), forbidden.load(),
            handshakes_failed.load(), overloaded.load(), timed_out.load(), evicted.load(),      accept_failures.load()};
  }
};

}  // namespace kleptometrics::aggregator::http::guard
