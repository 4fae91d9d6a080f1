// TLS before the first request: on the poller's thread, which no peer can hold up. Until a peer has sent the beginning
// of an honest greeting it costs a descriptor and nothing more; whoever is still greeting makes room for those who
// come.
#include <cerrno>
#include <utility>

#include "aggregator/http/guard/poller.h"
#include "lib/tls/hello.h"

namespace kleptometrics::aggregator::http::guard {

void Poller::greet(Connection& connection) {
  connection.state = State::kGreeting;
  connections_.set_deadline(connection, now_ + limits_.idle_nanos_max);
  connections_.set_expendable(connection, true);
  watch(connection, EPOLLIN);
}

void Poller::on_greeting(Connection& connection) {
  if (connection.request_started == 0) {
    connection.request_started = now_;
    connections_.set_deadline(connection, now_ + limits_.head_nanos_max);
  }
  if (connection.tls == nullptr && !(take_hello(connection) && begin_tls(connection))) return;
  switch (connection.tls->handshake().status) {
    case tls::Status::kWantRead:
      return watch(connection, EPOLLIN);
    case tls::Status::kWantWrite:
      return watch(connection, EPOLLOUT);
    case tls::Status::kDone:
      connection.state = State::kReading;
      return await_bytes(connection);
    case tls::Status::kClosed:
    case tls::Status::kFailed:
      return fail_greeting(connection);
  }
}

// True once the first bytes are there; where they never will be the connection is closed.
bool Poller::take_hello(Connection& connection) {
  while (connection.hello.size() < tls::kHelloBytes) {
    const tls::Progress got =
        receive_some(connection.channel(), scratch_.data(), tls::kHelloBytes - connection.hello.size());
    if (got.status == tls::Status::kWantRead) return false;
    if (got.status != tls::Status::kDone) {
      if (!connection.hello.empty()) ++shared_.counts.handshakes_failed;
      close(connection);
      return false;
    }
    connection.hello.append(scratch_.data(), got.bytes);
  }
  return true;
}

bool Poller::begin_tls(Connection& connection) {
  const tls::Hello hello = tls::judge_hello(connection.hello);
  if (hello == tls::Hello::kGood)
    connection.tls = tls::Stream::from(*manner_.tls, connection.fd.get(), connection.hello);
  std::string().swap(connection.hello);
  if (connection.tls != nullptr) return true;
  if (hello == tls::Hello::kPlain) {
    ++shared_.counts.handshakes_failed;
    send_refusal(connection, {400, "this address speaks TLS; ask https:// instead of http://"});
  } else {
    fail_greeting(connection);
  }
  return false;
}

// Why was said by TLS, if there was any.
void Poller::fail_greeting(Connection& connection) {
  ++shared_.counts.handshakes_failed;
  connection.tls.reset();
  drain(connection);
}

}  // namespace kleptometrics::aggregator::http::guard
