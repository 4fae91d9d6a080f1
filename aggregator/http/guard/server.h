// The HTTP front of the aggregator: everything between a socket and a handler, a function from Request to
// Response. It reads whole requests before a thread is taken, refuses what no honest client sends, bounds
// memory, connections and time (limits.h), and lets cpp-httplib write the answers. Made and stopped by
// main.cc, used by nobody else.
//
// Life: create() binds and listens, so that errors come before anything else has started; start() serves;
// stop(), or the destructor, lets requests in progress finish and closes the rest.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/http/guard/counts.h"
#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/policy.h"
#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http::guard {

class Poller;
struct Shared;

// create(), start(), stop(), reload_certificate() by one thread; the rest by any.
class [[nodiscard]] Server {
 public:
  struct Options {
    // HOST:PORT: an IPv4 address, an IPv6 address in brackets, or localhost. Port 0 takes a free one. Beyond loopback
    // only with both `authorize` and a certificate. Empty: no TCP.
    std::string listen;
    // On TCP, asked before the body of a request is read. Null: nobody needs a key. On the Unix socket, whose
    // permissions say who may connect, nobody does.
    Authorize authorize{};
    // On TCP, names beside this machine's and those of the certificate by which a Host header may call it (a proxy's,
    // say); `*.example.org` for all of one label more.
    std::vector<std::string> allowed_hosts{};
    // PEM files, of TLS on TCP: the certificate with those between it and the root, and its key. Both empty: none.
    std::string tls_certificate{}, tls_key{};
    // The path of a Unix socket, in a folder that exists. Empty: none. At least one of the two is needed.
    std::string socket_path;
    // The socket file's permissions. 0666 opens it to all local users, as a system-wide aggregator may want.
    mode_t socket_mode = 0600;
    GuardLimits limits{};
  };

  // InvalidArgument for what no system would do, AlreadyExists where another process serves the socket path,
  // else the system's reason; always one line that names the address, such as `listen on 127.0.0.1:9461:
  // address already in use`.
  //
  // `handler` is called by several threads at once. It never sees a HEAD, but a GET in its place. What it
  // throws becomes a 500 that does not say what was thrown. `Request::path_parameters` is left to the router.
  static absl::StatusOr<std::unique_ptr<Server>> create(const Options& options,
                                                        std::function<Response(const Request&)> handler);
  ~Server();  // stop()

  // Once. Peers that connected since create() are served now.
  void start();

  // No new connections; idle ones are closed at once, unfinished requests get a 503, and complete ones are
  // answered within limits.stop_nanos_max. After that it waits only for handlers that have not returned. More
  // than once is fine.
  void stop();

  // Reads certificate and key again, for connections from now on. Where that fails the old ones stay; one line says
  // why.
  absl::Status reload_certificate();

  // HOST:PORT with the real port, or empty.
  std::string listen_address() const;
  // Or empty.
  std::string socket_path() const;

  GuardCounts counts() const;

 private:
  Server(const Options& options, std::function<Response(const Request&)> handler);
  std::string address_of(bool tcp) const;

  const Options options_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Poller>> pollers_;  // one an address; after what they share
};

}  // namespace kleptometrics::aggregator::http::guard
