#include "lib/http/connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "lib/tls/context.h"

namespace kleptometrics::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReceiveBytes = 16U << 10U;
constexpr std::chrono::seconds kHandshakeTime(5);

// Waits until the socket is ready. False at the deadline; errno is then ETIMEDOUT.
bool wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    pollfd entry{fd, events, 0};
    const int ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = ETIMEDOUT;
    return false;
  }
}

// A connected socket, or a closed one with errno set.
Descriptor connect_to(const sockaddr* address, socklen_t size, Deadline deadline) {
  Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return socket;
  const int on = 1;
  if (address->sa_family != AF_UNIX) ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.fd(), address, size) == 0) return socket;
  if (errno != EINPROGRESS || !wait_for(socket.fd(), POLLOUT, deadline)) return {};
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) return socket;
  errno = error;
  return {};
}

Descriptor connect_unix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address), deadline);
}

Descriptor connect_tcp(const Endpoint& to, std::chrono::milliseconds each, Deadline deadline, std::string* error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found); code != 0) {
    *error = "look up " + to.host + ": " + ::gai_strerror(code);
    return {};
  }
  Descriptor socket;
  for (const addrinfo* one = found; one != nullptr && socket.fd() < 0; one = one->ai_next)
    socket = connect_to(one->ai_addr, one->ai_addrlen, std::min(deadline, SteadyClock::now() + each));
  ::freeaddrinfo(found);
  return socket;
}

// Waits for what `progress` wants. False at the deadline; errno is then ETIMEDOUT.
bool wait_for(int fd, const tls::Progress& progress, Deadline deadline) {
  return wait_for(fd, progress.status == tls::Status::kWantWrite ? POLLOUT : POLLIN, deadline);
}

bool wants(const tls::Progress& progress) {
  return progress.status == tls::Status::kWantRead || progress.status == tls::Status::kWantWrite;
}

// Of a system call on the bare socket.
tls::Progress progress_of(ssize_t result, tls::Status wanted) {
  if (result > 0) return {tls::Status::kDone, static_cast<std::size_t>(result)};
  if (result == 0) return {tls::Status::kClosed, 0};
  if (errno == EAGAIN || errno == EINTR) return {wanted, 0};
  return {};
}

}  // namespace

bool Connection::open(std::chrono::milliseconds each, Deadline deadline, std::string* error) {
  error->clear();
  close();
  socket_ = to_.unix_socket ? connect_unix(to_.host, std::min(deadline, SteadyClock::now() + each))
                            : connect_tcp(to_, each, deadline, error);
  if (socket_.fd() < 0 && error->empty()) *error = "connect to " + to_.host + ": " + std::strerror(errno);
  if (socket_.fd() < 0) return false;
  return !to_.tls || secure(std::min(deadline, SteadyClock::now() + kHandshakeTime), error);
}

bool Connection::secure(Deadline deadline, std::string* error) {
  const auto context = tls::Context::client(ca_file_, error);
  if (context == nullptr) return fail("connect to ", std::string(*error), error);
  tls_ = tls::Stream::to(*context, socket_.fd(), to_.host);
  if (tls_ == nullptr) return fail("connect to ", "no TLS for such a host, or no memory for it", error);
  for (;;) {
    const tls::Progress progress = tls_->handshake();
    if (progress.status == tls::Status::kDone) return true;
    if (!wants(progress)) return fail("connect to ", why_failed(), error);
    if (!wait_for(socket_.fd(), progress, deadline)) return fail("connect to ", std::strerror(errno), error);
  }
}

bool Connection::exchange(std::string_view request, Deadline deadline, std::size_t body_bytes_max, Response* response,
                          std::string* error) {
  std::string why;
  const bool sent = send_all(request, deadline, &why);
  // Even what refused the request half-way may have said why.
  std::string why_not_received;
  if (!receive(deadline, body_bytes_max, response, &why_not_received))
    return fail(sent ? "receive from " : "send to ", sent ? why_not_received : why, error);
  if (!sent || !response->keeps_alive) close();
  return true;
}

bool Connection::fail(std::string_view doing, std::string_view why, std::string* error) {
  *error = std::string(doing) + to_.host + ": " + std::string(why);
  close();
  return false;
}

std::string Connection::why_failed() const {
  if (tls_ == nullptr) return std::strerror(errno);
  return tls_->error().empty() ? "the program is exiting" : tls_->error();
}

tls::Progress Connection::read_some(char* into, std::size_t bytes) {
  if (tls_ != nullptr) return tls_->read(into, bytes);
  return progress_of(::recv(socket_.fd(), into, bytes, 0), tls::Status::kWantRead);
}

tls::Progress Connection::write_some(std::string_view bytes) {
  if (tls_ != nullptr) return tls_->write(bytes.data(), bytes.size());
  return progress_of(::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL), tls::Status::kWantWrite);
}

bool Connection::send_all(std::string_view bytes, Deadline deadline, std::string* why) {
  while (!bytes.empty()) {
    const tls::Progress progress = write_some(bytes);
    if (progress.status == tls::Status::kDone) {
      bytes.remove_prefix(progress.bytes);
    } else if (!wants(progress) || !wait_for(socket_.fd(), progress, deadline)) {
      *why = wants(progress) ? std::strerror(errno) : why_failed();
      return false;
    }
  }
  return true;
}

// False, and `why`, if no whole response came.
bool Connection::receive(Deadline deadline, std::size_t body_bytes_max, Response* response, std::string* why) {
  std::string bytes;
  std::vector<char> buffer(kReceiveBytes);
  for (;;) {
    const tls::Progress progress = read_some(buffer.data(), buffer.size());
    if (wants(progress)) {
      if (wait_for(socket_.fd(), progress, deadline)) continue;
      *why = std::strerror(errno);
      return false;
    }
    if (progress.status == tls::Status::kFailed) {
      *why = why_failed();
      return false;
    }
    bytes.append(buffer.data(), progress.bytes);
    const bool closed = progress.status == tls::Status::kClosed;
    const Progress read = read_response(bytes, closed, body_bytes_max, response);
    if (read == Progress::kDone) return true;
    if (read == Progress::kMore && SteadyClock::now() < deadline) continue;
    *why = read == Progress::kMore ? std::strerror(ETIMEDOUT)
           : bytes.empty()         ? std::strerror(ECONNRESET)
                                   : "the answer is cut, too large or not HTTP";
    return false;
  }
}

}  // namespace kleptometrics::http
