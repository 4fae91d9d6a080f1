// A request and its answer over a Unix socket, TCP, or TLS on that, with nothing behind it but system calls and OpenSSL.
// Not by the HTTP library: its client keeps static objects, which are destroyed while our thread may still be reading an
// answer at the end of the program, raises SIGPIPE, and would bring its compression libraries into every host.
//
// One thread at a time. Never raises SIGPIPE, never waits longer than told, reads no more than told.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/descriptor.h"
#include "lib/http/endpoint.h"
#include "lib/http/response.h"
#include "lib/tls/stream.h"

namespace kleptometrics::http {

using Deadline = std::chrono::steady_clock::time_point;

class Connection {
 public:
  // `ca_file`: for `https://`, whose certificates alone are trusted (PEM); empty: those that the system trusts. Read
  // whenever a connection is opened.
  explicit Connection(Endpoint to, std::string ca_file = {}) : to_(std::move(to)), ca_file_(std::move(ca_file)) {}

  // Connects anew. A host may have several addresses: each is tried for at most `each`, and all until `deadline`; only
  // the look-up of its name takes the time that the system's resolver takes. TLS then has five seconds to be agreed on,
  // and no more than `deadline`; the certificate must be for the endpoint's host. False, and `error` says why, if none
  // answers, or the one that does cannot prove who it is: then nothing was sent to it.
  bool open(std::chrono::milliseconds each, Deadline deadline, std::string* error);
  // Also true where the peer has closed it meanwhile; false where the host has.
  bool is_open() const { return socket_.is_ours(); }

  // Sends a whole request and waits for the whole answer. False, and `error` says why, if none came; the connection is
  // then closed, as it is after an answer that ends it. Requires is_open().
  bool exchange(std::string_view request, Deadline deadline, std::size_t body_bytes_max, Response* response,
                std::string* error);

  const Endpoint& endpoint() const { return to_; }

  void close() {
    tls_.reset();
    socket_ = Descriptor();
  }

 private:
  bool secure(Deadline deadline, std::string* error);
  bool fail(std::string_view doing, std::string_view why, std::string* error);
  tls::Progress read_some(char* into, std::size_t bytes);
  tls::Progress write_some(std::string_view bytes);
  bool send_all(std::string_view bytes, Deadline deadline, std::string* why);
  bool receive(Deadline deadline, std::size_t body_bytes_max, Response* response, std::string* why);
  std::string why_failed() const;

  Endpoint to_;
  std::string ca_file_;
  Descriptor socket_;
  std::unique_ptr<tls::Stream> tls_;  // after the socket that it uses
};

}  // namespace kleptometrics::http
