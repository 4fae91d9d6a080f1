#include "aggregator/store/redis/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::redis {
namespace {

absl::Status failed(const char* what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::generic_category().message(error)));
}

// Milliseconds from now on, rounded up; 0 if it has passed.
int left_until(Nanos deadline) {
  const Nanos left = deadline - system_steady();
  return left <= 0 ? 0 : static_cast<int>(std::min<Nanos>(left / 1'000'000 + 1, 60'000));
}

// OK when the socket is connected.
absl::Status finish_connecting(int fd, Nanos deadline) {
  pollfd poll{fd, POLLOUT, 0};
  int ready = 0;
  while ((ready = ::poll(&poll, 1, left_until(deadline))) < 0 && errno == EINTR) {
  }
  if (ready < 0) return failed("connect", errno);
  if (ready == 0) return absl::UnavailableError("connect: no answer in time");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : failed("connect", error);
}

absl::StatusOr<UniqueFd> connect_to(int family, const sockaddr* address, socklen_t size, Nanos deadline) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return failed("socket", errno);
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  if (::connect(fd.get(), address, size) == 0) return fd;
  if (errno != EINPROGRESS && errno != EINTR) return failed("connect", errno);
  if (absl::Status status = finish_connecting(fd.get(), deadline); !status.ok()) return status;
  return fd;
}

absl::StatusOr<UniqueFd> connect_unix(const std::string& path, Nanos deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return absl::InvalidArgumentError("the path of the socket is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
}

absl::StatusOr<UniqueFd> connect_tcp(const Url& url, Nanos deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* raw = nullptr;
  const int fault = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &raw);
  if (fault != 0) return absl::UnavailableError(absl::StrCat("look up ", url.host, ": ", ::gai_strerror(fault)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(raw, ::freeaddrinfo);
  absl::Status last = absl::UnavailableError("the host has no address");
  for (const addrinfo* each = all.get(); each != nullptr; each = each->ai_next) {
    absl::StatusOr<UniqueFd> fd = connect_to(each->ai_family, each->ai_addr, each->ai_addrlen, deadline);
    if (fd.ok()) return fd;
    last = fd.status();
  }
  return last;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Socket>> Socket::connect(const Url& url, Nanos deadline) {
  absl::StatusOr<UniqueFd> fd = url.host.empty() ? connect_unix(url.path, deadline) : connect_tcp(url, deadline);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<Socket>(new Socket(*std::move(fd)));
}

absl::Status Socket::wait(bool to_write, Nanos deadline) {
  for (;;) {
    pollfd poll{fd_.get(), static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0};
    const int left = left_until(deadline);
    const int ready = ::poll(&poll, 1, left);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return failed("poll", errno);
    if (ready == 0 && left == 0) return absl::UnavailableError("no answer in time");
  }
}

absl::Status Socket::exchange(std::string_view& out, char* in, std::size_t room, std::size_t& in_bytes,
                              Nanos deadline) {
  in_bytes = 0;
  for (;;) {
    if (!out.empty()) {
      const ssize_t sent = ::send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return failed("send", errno);
      if (sent > 0) out.remove_prefix(static_cast<std::size_t>(sent));
    }
    const ssize_t got = ::recv(fd_.get(), in, room, 0);
    if (got == 0) return absl::UnavailableError("the server closed the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR) return failed("receive", errno);
    if (got > 0) {
      in_bytes = static_cast<std::size_t>(got);
      return absl::OkStatus();
    }
    if (absl::Status status = wait(!out.empty(), deadline); !status.ok()) return status;
  }
}

}  // namespace kleptometrics::aggregator::redis
