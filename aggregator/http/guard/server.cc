#include "aggregator/http/guard/server.h"

#include <utility>

#include "absl/status/status.h"
#include "aggregator/http/guard/listener.h"
#include "aggregator/http/guard/poller.h"
#include "aggregator/http/guard/text.h"
#include "lib/tls/context.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

using ContextOr = absl::StatusOr<std::shared_ptr<const tls::Context>>;

// Null where TLS is not asked for.
ContextOr read_certificate(const Server::Options& options) {
  if (options.tls_certificate.empty() && options.tls_key.empty()) return nullptr;
  if (options.tls_certificate.empty() || options.tls_key.empty())
    return absl::InvalidArgumentError("TLS needs both a certificate (--tls_certificate) and its key (--tls_key)");
  std::string error;
  auto context = tls::Context::server(options.tls_certificate, options.tls_key, &error);
  if (context == nullptr) return absl::InvalidArgumentError(error);
  return context;
}

Manner manner_for(const Listener& listener, const Server::Options& options,
                  const std::shared_ptr<const tls::Context>& tls) {
  if (!listener.is_tcp()) return {};
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "[::1]", listener.host()};
  for (const std::string& host : options.allowed_hosts) hosts.push_back(lower(host));
  if (tls != nullptr) hosts.insert(hosts.end(), tls->names().begin(), tls->names().end());
  return {{std::move(hosts), listener.is_beyond_loopback(), tls != nullptr, options.authorize}, tls};
}

absl::StatusOr<std::vector<Listener>> open_listeners(const Server::Options& options, bool tls) {
  std::vector<Listener> listeners;
  if (!options.listen.empty()) {
    const bool guarded = options.authorize && tls;
    absl::StatusOr<Listener> tcp =
        Listener::tcp(options.listen, guarded ? Listener::Reach::kBeyond : Listener::Reach::kLoopback);
    if (!tcp.ok()) return tcp.status();
    listeners.push_back(*std::move(tcp));
  }
  if (!options.socket_path.empty()) {
    absl::StatusOr<Listener> local = Listener::unix_socket(options.socket_path, options.socket_mode);
    if (!local.ok()) return local.status();
    listeners.push_back(*std::move(local));
  }
  if (listeners.empty()) return absl::InvalidArgumentError("listen: neither an address nor a socket path is given");
  return listeners;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::create(const Options& options,
                                                       std::function<Response(const Request&)> handler) {
  const ContextOr tls = read_certificate(options);
  if (!tls.ok()) return tls.status();
  absl::StatusOr<std::vector<Listener>> listeners = open_listeners(options, *tls != nullptr);
  if (!listeners.ok()) return listeners.status();
  std::unique_ptr<Server> server(new Server(options, std::move(handler)));
  for (Listener& listener : *listeners) {
    Manner manner = manner_for(listener, options, *tls);
    absl::StatusOr<std::unique_ptr<Poller>> poller =
        Poller::create(std::move(listener), std::move(manner), *server->shared_);
    if (!poller.ok()) return poller.status();
    server->pollers_.push_back(*std::move(poller));
  }
  return server;
}

Server::Server(const Options& options, std::function<Response(const Request&)> handler)
    : options_(options), shared_(std::make_unique<Shared>(options.limits, std::move(handler))) {}

Server::~Server() { stop(); }

void Server::start() {
  for (const auto& poller : pollers_) poller->start();
}

void Server::stop() {
  for (const auto& poller : pollers_) poller->begin_stop();
  for (const auto& poller : pollers_) poller->stop();
}

absl::Status Server::reload_certificate() {
  const ContextOr tls = read_certificate(options_);
  if (!tls.ok()) return tls.status();
  for (const auto& poller : pollers_) poller->serve_as(manner_for(poller->listener(), options_, *tls));
  return absl::OkStatus();
}

std::string Server::address_of(bool tcp) const {
  for (const auto& poller : pollers_) {
    if (poller->listener().is_tcp() == tcp) return poller->listener().address();
  }
  return {};
}

std::string Server::listen_address() const { return address_of(true); }
std::string Server::socket_path() const { return address_of(false); }
GuardCounts Server::counts() const { return shared_->counts.read(); }

}  // namespace kleptometrics::aggregator::http::guard
