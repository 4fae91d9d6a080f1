// What the guard did, for whoever exposes it: everything that was turned away is counted.
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics::aggregator::http::guard {

// Since the start, over both addresses.
struct GuardCounts {
  std::uint64_t connections = 0;      // accepted
  std::uint64_t requests = 0;         // handed to the handler's threads
  std::uint64_t refused = 0;          // 4xx and 501, 505 of the guard: the request was at fault
  std::uint64_t overloaded = 0;       // 503 of the guard: a limit over all connections was reached
  std::uint64_t timed_out = 0;        // heads, bodies and answers that took too long
  std::uint64_t evicted = 0;          // idle connections closed early to make room
  std::uint64_t accept_failures = 0;  // for want of descriptors or memory
};

// Any thread.
struct AtomicCounts {
  std::atomic<std::uint64_t> connections{0}, requests{0}, refused{0}, overloaded{0}, timed_out{0}, evicted{0},
      accept_failures{0};

  GuardCounts read() const {
    return {connections.load(), requests.load(), refused.load(),        overloaded.load(),
            timed_out.load(),   evicted.load(),  accept_failures.load()};
  }
};

}  // namespace kleptometrics::aggregator::http::guard
