#include "aggregator/http/guard/poller.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kleptometrics::aggregator::http::guard {
namespace {

constexpr std::size_t kScratchBytes = 64U << 10U;
constexpr int kAcceptsATurnMax = 64;
// Peers beyond connections_max that are told so before they are closed; more are closed after one attempt.
constexpr std::size_t kToldOverloadedMax = 64;
constexpr std::string_view kTooManyConnections = "too many connections; try again later";

}  // namespace

absl::StatusOr<std::unique_ptr<Poller>> Poller::create(Listener listener, Manner manner, Shared& shared) {
  absl::StatusOr<Events> events = Events::create();
  if (!events.ok()) return events.status();
  return std::unique_ptr<Poller>(new Poller(std::move(listener), std::move(manner), *std::move(events), shared));
}

Poller::Poller(Listener listener, Manner manner, Events events, Shared& shared)
    : shared_(shared),
      limits_(shared.limits),
      listener_(std::move(listener)),
      events_(std::move(events)),
      manner_(std::move(manner)),
      scratch_(kScratchBytes),
      workers_(shared.handler, shared.limits, [this](std::unique_ptr<Exchange> done) { add_answer(std::move(done)); }) {
}

Poller::~Poller() { stop(); }

void Poller::start() {
  workers_.start();
  thread_ = std::thread([this] { run(); });
}

void Poller::begin_stop() {
  const Lock lock(mutex_);
  stop_asked_ = true;
  events_.wake();
}

void Poller::stop() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
  workers_.stop();
  for (Connection* connection : connections_.all()) close(*connection);  // of handlers that took too long
  connections_.bury();
  listener_.close();
}

void Poller::run() {
  listen_again();
  while (connections_.size() > 0 || stop_at_ == kNever) {
    turn();
    if (now_ >= stop_at_) break;
  }
  for (Connection* connection : connections_.all()) {
    if (connection->state != State::kServing) close(*connection);  // a worker may still write to that one
  }
  connections_.bury();
}

void Poller::turn() {
  epoll_event events[Events::kBatchMax];
  const int count = events_.wait(wait_time(), events);
  now_ = system_clock().now().steady;
  bool accepts = false;
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == &listener_) {
      accepts = true;
    } else {
      on_event(*static_cast<Connection*>(events[i].data.ptr));
    }
  }
  take_answers();
  if (now_ >= connections_.next_deadline()) expire();
  if (now_ >= accept_again_at_) listen_again();
  if (accepts) accept_some();
  connections_.bury();
}

// Without connections there is nothing to wait for but the next peer: no timer runs.
Nanos Poller::wait_time() const {
  const Nanos until = std::min({connections_.next_deadline(), accept_again_at_, stop_at_});
  if (until == kNever) return -1;
  return std::max<Nanos>(until - system_clock().now().steady, 0);
}

void Poller::accept_some() {
  for (int i = 0; i < kAcceptsATurnMax && listener_.fd() >= 0; ++i) {
    UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid()) {
      receive(std::move(fd));
      continue;
    }
    if (errno == EAGAIN) return;
    // The peer was gone again: the next one.
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM) continue;
    // Out of descriptors, with or without a peer that waits: only at the first attempt one surely does.
    if (i > 0) return;
    ++shared_.counts.accept_failures;
    // Out of memory, or something unheard of: neither spin nor end.
    if (!make_room()) return pause_accepting();
  }
}

void Poller::listen_again() {
  const bool watching = events_.watch(listener_.fd(), EPOLLIN, &listener_, listener_watched_);
  accept_again_at_ = watching ? kNever : system_clock().now().steady + limits_.accept_pause_nanos;
}

void Poller::pause_accepting() {
  events_.watch(listener_.fd(), 0, &listener_, listener_watched_);
  accept_again_at_ = now_ + limits_.accept_pause_nanos;
}

bool Poller::make_room() {
  Connection* oldest = connections_.oldest_expendable();
  if (oldest == nullptr) return false;
  ++shared_.counts.evicted;
  close(*oldest);
  return true;
}

void Poller::receive(UniqueFd fd) {
  ++shared_.counts.connections;
  const int on = 1;
  if (listener_.is_tcp()) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const bool fits = connections_.size() < limits_.connections_max || make_room();
  const bool tls = manner_.tls != nullptr;
  // Under TLS nothing can be said before a greeting, for which there is no room.
  if (!fits && (tls || connections_.size() >= limits_.connections_max + kToldOverloadedMax)) {
    ++shared_.counts.overloaded;
    std::size_t sent = 0;
    if (!tls) send_some({fd.get()}, refusal_bytes({503, std::string(kTooManyConnections)}), sent);
    return;
  }
  Connection& connection =
      connections_.add(std::make_unique<Connection>(std::move(fd), limits_, manner_.policy, shared_.budget));
  if (!fits) {
    overload(connection, kTooManyConnections);
  } else if (tls) {
    greet(connection);
  } else {
    await_bytes(connection);
  }
}

void Poller::serve_as(Manner manner) {
  const Lock lock(mutex_);
  next_manner_ = std::move(manner);
  events_.wake();
}

void Poller::add_answer(std::unique_ptr<Exchange> exchange) {
  const Lock lock(mutex_);
  answers_.push_back(std::move(exchange));
  if (answers_.size() == 1) events_.wake();
}

void Poller::take_answers() {
  std::vector<std::unique_ptr<Exchange>> answers;
  bool stop = false;
  {
    const Lock lock(mutex_);
    answers.swap(answers_);
    stop = stop_asked_ && stop_at_ == kNever;
    if (next_manner_) manner_ = *std::exchange(next_manner_, std::nullopt);
  }
  for (const auto& answer : answers) on_answer(*answer);
  if (stop) shut_down();
}

void Poller::expire() {
  for (Connection* connection : connections_.due(now_)) {
    if (connection->state != State::kClosed) on_deadline(*connection);
  }
}

void Poller::shut_down() {
  stop_at_ = now_ + limits_.stop_nanos_max;
  accept_again_at_ = kNever;
  events_.watch(listener_.fd(), 0, &listener_, listener_watched_);
  listener_.close();
  for (Connection* connection : connections_.all()) {
    if (connection->state == State::kDraining || connection->state == State::kGreeting) {
      close(*connection);
    } else if (connection->state == State::kReading && connection->reader.idle()) {
      close(*connection);
    } else if (connection->state == State::kReading) {
      overload(*connection, "the aggregator is stopping");
    }
  }
}

}  // namespace kleptometrics::aggregator::http::guard
