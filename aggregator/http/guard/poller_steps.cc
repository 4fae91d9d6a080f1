#include <string.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "aggregator/http/guard/poller.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

constexpr std::size_t kReadsATurnMax = 4;  // of one connection; then the others
constexpr Nanos kDrainWhileStoppingNanos = kNanosPerSecond / 5;
constexpr std::string_view kContinueBytes = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void Poller::on_event(Connection& connection) {
  switch (connection.state) {
    case State::kGreeting:
      return on_greeting(connection);
    case State::kReading:
      return on_readable(connection);
    case State::kWriting:
      return write_out(connection);
    case State::kDraining:
      return on_drain(connection);
    case State::kServing:
    case State::kClosed:
      return;
  }
}

void Poller::on_readable(Connection& connection) {
  for (std::size_t i = 0; i < kReadsATurnMax && connection.state == State::kReading; ++i) {
    const tls::Progress got = receive_some(connection.channel(), scratch_.data(), scratch_.size());
    if (got.status == tls::Status::kWantRead || got.status == tls::Status::kWantWrite) {
      // Records that carry nothing are no bytes of a request: its time goes on running out.
      if (i > 0) await_bytes(connection);
      if (connection.state == State::kReading)
        watch(connection, got.status == tls::Status::kWantRead ? EPOLLIN : EPOLLOUT);
      return;
    }
    if (got.status != tls::Status::kDone) return close(connection);
    const bool room = connection.reader.append({scratch_.data(), got.bytes});
    if (manner_.policy.authorize) ::explicit_bzero(scratch_.data(), got.bytes);  // a key may be in it
    if (!room) return overload(connection, "too many bytes of requests are waiting; try again later");
    advance(connection);
    if (connection.tls == nullptr && got.bytes < scratch_.size()) break;  // surely all there was
  }
  if (connection.state == State::kReading) await_bytes(connection);
}

// Goes as far as the bytes at hand allow; the connection stays in kReading where they do not make a request.
void Poller::advance(Connection& connection) {
  for (;;) {
    switch (connection.reader.next()) {
      case RequestReader::Step::kNeedMore:
        return;
      case RequestReader::Step::kRequest:
        return dispatch(connection);
      case RequestReader::Step::kRefused:
        return refuse(connection, Refusal(connection.reader.refusal()));
      case RequestReader::Step::kContinue: {
        std::size_t sent = 0;
        const std::string bytes(kContinueBytes);
        // The peer has read all before, so so few bytes go at once or never.
        if (!send_some(connection.channel(), bytes, sent) || sent < bytes.size()) return close(connection);
        break;
      }
    }
  }
}

void Poller::dispatch(Connection& connection) {
  Incoming incoming = connection.reader.take_request();
  ++connection.requests;
  incoming.keep_alive =
      incoming.keep_alive && connection.requests < limits_.connection_requests_max && stop_at_ == kNever;
  auto exchange = std::make_unique<Exchange>(Exchange{&connection, connection.channel(), std::move(incoming), {}});
  // Out of the set before a worker has it: nothing here touches the socket until the answer comes back.
  watch(connection, 0);
  connections_.set_expendable(connection, false);
  connections_.set_deadline(connection, kNever);
  connection.request_started = 0;
  if (connection.state == State::kClosed) return;
  connection.state = State::kServing;
  if (!workers_.submit(exchange)) return overload(connection, "too many requests are waiting; try again later");
  ++shared_.counts.requests;
}

void Poller::on_answer(Exchange& exchange) {
  Connection& connection = *exchange.connection;
  if (exchange.failed) return close(connection);
  connection.close_when_written = !exchange.keep_alive;
  if (exchange.sent == exchange.answer.size()) return resume(connection);
  connection.out = std::move(exchange.answer);
  connection.out_sent = exchange.sent;
  // Charged with what is left; a peer that takes no answers while others have filled the budget loses its
  // own.
  if (!connection.out_charge.resize(connection.out.size())) return close(connection);
  connection.state = State::kWriting;
  connections_.set_deadline(connection, now_ + limits_.write_nanos_max);
  write_out(connection);
}

void Poller::refuse(Connection& connection, const Refusal& refusal) {
  ++shared_.counts.refused;
  if (refusal.status == 401) ++shared_.counts.unauthorized;
  if (refusal.status == 403) ++shared_.counts.forbidden;
  send_refusal(connection, refusal);
}

void Poller::overload(Connection& connection, std::string_view why) {
  ++shared_.counts.overloaded;
  send_refusal(connection, {503, std::string(why)});
}

void Poller::send_refusal(Connection& connection, const Refusal& refusal) {
  connection.reader.reset();
  connection.out = refusal_bytes(refusal);
  connection.out_sent = 0;
  connection.close_when_written = true;
  connection.state = State::kWriting;
  connections_.set_expendable(connection, false);
  connections_.set_deadline(connection, now_ + limits_.write_nanos_max);
  write_out(connection);
}

void Poller::write_out(Connection& connection) {
  if (!send_some(connection.channel(), connection.out, connection.out_sent)) return close(connection);
  if (connection.out_sent < connection.out.size()) return watch(connection, EPOLLOUT);
  std::string().swap(connection.out);
  connection.out_charge.resize(0);
  resume(connection);
}

// After an answer: the next request, of which bytes may be here already, or the end.
void Poller::resume(Connection& connection) {
  if (connection.close_when_written || stop_at_ != kNever) return drain(connection);
  connection.state = State::kReading;
  advance(connection);
  if (connection.state == State::kReading) await_bytes(connection);
}

void Poller::await_bytes(Connection& connection) {
  const bool idle = connection.reader.idle();
  if (idle) {
    connection.request_started = 0;
    connections_.set_deadline(connection, now_ + limits_.idle_nanos_max);
  } else {
    if (connection.request_started == 0) connection.request_started = now_;
    const Nanos time = connection.reader.reading_body() ? limits_.request_nanos_max : limits_.head_nanos_max;
    connections_.set_deadline(connection, connection.request_started + time);
  }
  connections_.set_expendable(connection, idle);
  watch(connection, EPOLLIN);
}

// Closing at once while the peer still sends would reset the connection, and with it the answer on its way.
// So: say that nothing more comes, then read until the peer has closed too, for a while.
void Poller::drain(Connection& connection) {
  if (connection.tls != nullptr) connection.tls->finish();
  connection.tls.reset();  // what comes now is not even read as it was meant
  ::shutdown(connection.fd.get(), SHUT_WR);
  connection.reader.reset();
  connection.state = State::kDraining;
  const Nanos time = stop_at_ == kNever ? limits_.drain_nanos_max : kDrainWhileStoppingNanos;
  connections_.set_deadline(connection, now_ + time);
  connections_.set_expendable(connection, true);
  on_drain(connection);
}

void Poller::on_drain(Connection& connection) {
  for (std::size_t i = 0; i < kReadsATurnMax; ++i) {
    const ssize_t n = ::recv(connection.fd.get(), scratch_.data(), scratch_.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return close(connection);
    connection.drained_bytes += static_cast<std::size_t>(n);
    if (connection.drained_bytes > limits_.drain_bytes_max) return close(connection);
  }
  watch(connection, EPOLLIN);
}

void Poller::on_deadline(Connection& connection) {
  const bool partial = connection.state == State::kReading && !connection.reader.idle();
  const bool greeting = connection.state == State::kGreeting && connection.request_started != 0;
  if (partial || greeting || connection.state == State::kWriting) ++shared_.counts.timed_out;
  if (greeting) ++shared_.counts.handshakes_failed;
  if (!partial) return close(connection);
  send_refusal(connection, {408, "the request did not arrive in time"});
}

void Poller::watch(Connection& connection, std::uint32_t events) {
  if (!events_.watch(connection.fd.get(), events, &connection, connection.watched)) close(connection);
}

void Poller::close(Connection& connection) {
  // Explicitly: a descriptor that a forked child still holds would go on reporting.
  events_.watch(connection.fd.get(), 0, &connection, connection.watched);
  connections_.close(connection);
}

}  // namespace kleptometrics::aggregator::http::guard
