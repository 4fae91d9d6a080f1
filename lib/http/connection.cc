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

namespace kleptometrics::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReceiveBytes = 16U << 10U;

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

bool send_all(int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd, POLLOUT, deadline)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// False, and errno set (0: the answer makes no sense), if no whole response came.
bool receive(int fd, Deadline deadline, std::size_t body_bytes_max, Response* response) {
  std::string bytes;
  std::vector<char> buffer(kReceiveBytes);
  for (;;) {
    if (!wait_for(fd, POLLIN, deadline)) return false;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return false;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    const Progress progress = read_response(bytes, got == 0, body_bytes_max, response);
    if (progress == Progress::kDone) return true;
    if (progress == Progress::kMore) continue;
    errno = bytes.empty() ? ECONNRESET : 0;
    return false;
  }
}

}  // namespace

bool Connection::open(std::chrono::milliseconds each, Deadline deadline, std::string* error) {
  error->clear();
  socket_ = Descriptor();
  socket_ = to_.unix_socket ? connect_unix(to_.host, std::min(deadline, SteadyClock::now() + each))
                            : connect_tcp(to_, each, deadline, error);
  if (socket_.fd() < 0 && error->empty()) *error = "connect to " + to_.host + ": " + std::strerror(errno);
  return socket_.fd() >= 0;
}

bool Connection::exchange(std::string_view request, Deadline deadline, std::size_t body_bytes_max, Response* response,
                          std::string* error) {
  const bool sent = send_all(socket_.fd(), request, deadline);
  const int send_error = errno;
  // Even what refused the request half-way may have said why.
  if (!receive(socket_.fd(), deadline, body_bytes_max, response)) {
    const int why = sent ? errno : send_error;
    *error = (sent ? "receive from " : "send to ") + to_.host + ": " +
             (why == 0 ? "the answer is cut, too large or not HTTP" : std::strerror(why));
    socket_ = Descriptor();
    return false;
  }
  if (!sent || !response->keeps_alive) socket_ = Descriptor();
  return true;
}

}  // namespace kleptometrics::http
