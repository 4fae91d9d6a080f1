#include "aggregator/http/guard/server.h"

#include <utility>

#include "absl/status/status.h"
#include "aggregator/http/guard/listener.h"
#include "aggregator/http/guard/poller.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

absl::StatusOr<std::vector<Listener>> open_listeners(const Server::Options& options) {
  std::vector<Listener> listeners;
  if (!options.listen.empty()) {
    absl::StatusOr<Listener> tcp = Listener::tcp(options.listen);
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
  absl::StatusOr<std::vector<Listener>> listeners = open_listeners(options);
  if (!listeners.ok()) return listeners.status();
  std::unique_ptr<Server> server(new Server(options.limits, std::move(handler)));
  for (Listener& listener : *listeners) {
    absl::StatusOr<std::unique_ptr<Poller>> poller = Poller::create(std::move(listener), *server->shared_);
    if (!poller.ok()) return poller.status();
    server->pollers_.push_back(*std::move(poller));
  }
  return server;
}

Server::Server(const GuardLimits& limits, std::function<Response(const Request&)> handler)
    : shared_(std::make_unique<Shared>(limits, std::move(handler))) {}

Server::~Server() { stop(); }

void Server::start() {
  for (const auto& poller : pollers_) poller->start();
}

void Server::stop() {
  for (const auto& poller : pollers_) poller->begin_stop();
  for (const auto& poller : pollers_) poller->stop();
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
