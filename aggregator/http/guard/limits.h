// Every bound of the HTTP front in one struct, so that a test can make them small and a flag could set them.
// The defaults hold the process to about 50 MiB and a few percent of one core, whatever is sent to it. Under TLS a
// connection takes some 50 KiB more while it greets, and 10 KiB afterwards: at most as much again.
#pragma once

#include <cstddef>

#include "lib/base/clock.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator::http::guard {

struct GuardLimits {
  // One request.
  std::size_t head_bytes_max = 16U << 10U;              // request line and header lines: 431
  std::size_t request_line_bytes_max = 8U << 10U;       // 414; what cpp-httplib takes at most
  std::size_t header_lines_max = 64;                    // 431
  std::size_t body_bytes_max = limits::body_bytes_max;  // 413, before the body is read
  Nanos head_nanos_max = 2 * kNanosPerSecond;           // from its first byte to its last: 408
  Nanos request_nanos_max = 10 * kNanosPerSecond;       // head and body: 408

  // One connection.
  std::size_t connection_requests_max = 1000;  // then it is closed, so that old ones do not live for ever
  // Without a byte of a next request: closed. Longer than most pauses within one program, shorter than
  // patience at a restart.
  Nanos idle_nanos_max = 5 * kNanosPerSecond;
  // For a peer to take an answer; holds no thread.
  Nanos write_nanos_max = 5 * kNanosPerSecond;
  // Reading on after a refusal, so that the peer sees the answer.
  Nanos drain_nanos_max = 2 * kNanosPerSecond;
  std::size_t drain_bytes_max = 64U << 20U;

  // One address: TCP and the Unix socket have these separately.
  std::size_t connections_max = 1024;               // beyond: the oldest idle one is closed, else 503
  std::size_t waiting_requests_max = 512;           // complete, and no thread free yet; beyond: 503
  std::size_t workers_max = 8;                      // threads that run handlers; these mostly wait for a commit
  Nanos accept_pause_nanos = kNanosPerSecond / 10;  // after accept failed for want of descriptors

  // Both addresses together.
  // The first bytes of every connection are not counted below, so that small requests pass while large ones
  // are turned away: at most connections_max times this for an address.
  std::size_t connection_uncounted_bytes_max = 4U << 10U;
  std::size_t buffered_bytes_max = 32U << 20U;  // requests that wait or are read, answers not yet taken: 503
  Nanos stop_nanos_max = 5 * kNanosPerSecond;   // for stop() to let requests in progress finish
};

}  // namespace kleptometrics::aggregator::http::guard
