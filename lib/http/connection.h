// A request and its answer over a Unix socket or TCP, with nothing behind it but system calls. Not by the HTTP library:
// its client keeps static objects, which are destroyed while our thread may still be reading an answer at the end of
// the program, raises SIGPIPE, and would bring its TLS and compression libraries into every host.
//
// One thread at a time. Never raises SIGPIPE, never waits longer than told, reads no more than told.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/descriptor.h"
#include "lib/http/endpoint.h"
#include "lib/http/response.h"

namespace kleptometrics::http {

using Deadline = std::chrono::steady_clock::time_point;

class Connection {
 public:
  explicit Connection(Endpoint to) : to_(std::move(to)) {}

  // Connects anew. A host may have several addresses: each is tried for at most `each`, and all until `deadline`; only
  // the look-up of its name takes the time that the system's resolver takes. False, and `error` says why, if none
  // answers.
  bool open(std::chrono::milliseconds each, Deadline deadline, std::string* error);
  // Also true where the peer has closed it meanwhile; false where the host has.
  bool is_open() const { return socket_.is_ours(); }

  // Sends a whole request and waits for the whole answer. False, and `error` says why, if none came; the connection is
  // then closed, as it is after an answer that ends it. Requires is_open().
  bool exchange(std::string_view request, Deadline deadline, std::size_t body_bytes_max, Response* response,
                std::string* error);

  const Endpoint& endpoint() const { return to_; }

 private:
  Endpoint to_;
  Descriptor socket_;
};

}  // namespace kleptometrics::http
