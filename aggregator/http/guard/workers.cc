#include "aggregator/http/guard/workers.h"

#include <sys/socket.h>

#include <cstdint>
#include <utility>

namespace kleptometrics::aggregator::http::guard {

namespace {

#ifdef SO_PEERPIDFD
constexpr int kPeerPidfd = SO_PEERPIDFD;
#else
constexpr int kPeerPidfd = 77;  // of Linux 6.5; what builds on older headers runs on newer kernels
#endif

// The process that connected. Of TCP the system knows none.
Peer peer_of(int socket) {
  Peer peer;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 && credentials.pid > 0)
    peer.pid = static_cast<std::uint32_t>(credentials.pid);
  peer.open_pidfd = [socket] {
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    return ::getsockopt(socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) == 0 ? pidfd : -1;
  };
  return peer;
}

}  // namespace

Workers::Workers(const Handler& handler, const GuardLimits& limits, Done done)
    : handler_(handler), limits_(limits), done_(std::move(done)) {}

Workers::~Workers() { stop(); }

void Workers::start() {
  while (threads_.size() < limits_.workers_max) threads_.emplace_back([this] { loop(); });
}

void Workers::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    filled_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Workers::submit(std::unique_ptr<Exchange>& exchange) {
  const Lock lock(mutex_);
  if (stopping_ || waiting_.size() >= limits_.waiting_requests_max) return false;
  waiting_.push_back(std::move(exchange));
  filled_.notify_one();
  return true;
}

std::unique_ptr<Exchange> Workers::wait_for_one() {
  const Lock lock(mutex_);
  while (waiting_.empty() && !stopping_) filled_.wait(mutex_);
  if (waiting_.empty()) return nullptr;
  auto exchange = std::move(waiting_.front());
  waiting_.pop_front();
  return exchange;
}

void Workers::loop() {
  Engine engine(handler_);
  while (auto exchange = wait_for_one()) {
    Incoming& incoming = exchange->incoming;
    incoming.request.peer = peer_of(exchange->channel.fd);
    Engine::Answer answer = engine.answer(incoming.head, incoming.request, incoming.keep_alive);
    exchange->answer = std::move(answer.bytes);
    exchange->keep_alive = answer.keep_alive;
    exchange->failed = exchange->answer.empty() || !send_some(exchange->channel, exchange->answer, exchange->sent);
    done_(std::move(exchange));
  }
}

}  // namespace kleptometrics::aggregator::http::guard
