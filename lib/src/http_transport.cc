// A POST over a Unix socket or TCP with nothing behind it but system calls. Not by the HTTP library: its client keeps
// static objects, which are destroyed while our thread may still be reading an answer at the end of the program, raises
// SIGPIPE, and would bring its TLS and compression libraries into every host.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/base/descriptor.h"
#include "lib/src/http_response.h"
#include "lib/src/transport.h"

namespace kleptometrics::internal {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Deadline = SteadyClock::time_point;

constexpr std::chrono::seconds kConnectTime(1);
constexpr std::chrono::seconds kAnswerTime(5);  // from the first byte sent to the last byte received
constexpr std::string_view kDefaultPort = "9461";

struct Address {
  std::string host;  // or the path of a Unix socket
  std::string port{kDefaultPort};
  bool unix_socket = false;
};

bool valid_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

std::optional<Address> parse(std::string_view endpoint) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://";
  Address address;
  if (endpoint.substr(0, kUnix.size()) == kUnix) {
    address.host = endpoint.substr(kUnix.size());
    address.unix_socket = true;
    const bool fits = !address.host.empty() && address.host.size() < sizeof(sockaddr_un::sun_path);
    return fits ? std::optional(address) : std::nullopt;
  }
  if (endpoint.substr(0, kHttp.size()) != kHttp) return std::nullopt;
  endpoint.remove_prefix(kHttp.size());
  if (!endpoint.empty() && endpoint.back() == '/') endpoint.remove_suffix(1);
  const std::size_t bracket = endpoint.rfind(']');  // [::1]:9461
  const std::size_t colon = endpoint.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    address.port = endpoint.substr(colon + 1);
    if (!valid_port(address.port)) return std::nullopt;
    endpoint = endpoint.substr(0, colon);
  }
  if (endpoint.size() > 2 && endpoint.front() == '[' && endpoint.back() == ']')
    endpoint = endpoint.substr(1, endpoint.size() - 2);
  address.host = endpoint;
  if (address.host.empty() || address.host.find_first_of("/?#@ \t\r\n") != std::string::npos) return std::nullopt;
  return address;
}

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
Descriptor connect_to(const sockaddr* address, socklen_t size) {
  Descriptor socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return socket;
  const int on = 1;
  if (address->sa_family != AF_UNIX) ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.fd(), address, size) == 0) return socket;
  if (errno != EINPROGRESS || !wait_for(socket.fd(), POLLOUT, SteadyClock::now() + kConnectTime)) return {};
  int error = 0;
  socklen_t length = sizeof(error);
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) return socket;
  errno = error;
  return {};
}

Descriptor connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

Descriptor connect_tcp(const Address& to, std::string* error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found); code != 0) {
    *error = "look up " + to.host + ": " + ::gai_strerror(code);
    return {};
  }
  Descriptor socket;
  for (const addrinfo* each = found; each != nullptr && socket.fd() < 0; each = each->ai_next)
    socket = connect_to(each->ai_addr, each->ai_addrlen);
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
bool receive(int fd, Deadline deadline, HttpResponse* response) {
  std::string bytes;
  std::array<char, 4096> buffer{};
  for (;;) {
    if (!wait_for(fd, POLLIN, deadline)) return false;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return false;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    const HttpProgress progress = read_response(bytes, got == 0, response);
    if (progress == HttpProgress::kDone) return true;
    if (progress == HttpProgress::kMore) continue;
    errno = bytes.empty() ? ECONNRESET : 0;
    return false;
  }
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(Address address, const std::string& api_key) : address_(std::move(address)) {
    const bool literal6 = address_.host.find(':') != std::string::npos;
    const std::string host = address_.unix_socket ? "localhost"
                             : literal6           ? "[" + address_.host + "]:" + address_.port
                                                  : address_.host + ":" + address_.port;
    head_ = "POST /api/v1/runs HTTP/1.1\r\nHost: " + host +
            "\r\nUser-Agent: kleptometrics-cpp\r\nContent-Type: application/x-protobuf\r\n";
    if (!api_key.empty()) head_ += "Authorization: Bearer " + api_key + "\r\n";
  }

  Reply push(const std::string& body) override {
    const std::string request = head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    Reply reply;
    // A kept connection may have been closed by the peer meanwhile; a push may safely be sent twice.
    if (socket_.is_ours() && exchange(request, &reply)) return reply;
    reply.error.clear();
    socket_ = Descriptor();
    socket_ = address_.unix_socket ? connect_unix(address_.host) : connect_tcp(address_, &reply.error);
    if (socket_.fd() >= 0) {
      exchange(request, &reply);
    } else if (reply.error.empty()) {
      reply.error = "connect to " + address_.host + ": " + std::strerror(errno);
    }
    return reply;
  }

 private:
  bool exchange(const std::string& request, Reply* reply) {
    const Deadline deadline = SteadyClock::now() + kAnswerTime;
    HttpResponse response;
    const bool sent = send_all(socket_.fd(), request, deadline);
    const int send_error = errno;
    // Even what refused the request half-way may have said why.
    if (!receive(socket_.fd(), deadline, &response)) {
      const int error = sent ? errno : send_error;
      reply->error = (sent ? "receive from " : "send to ") + address_.host + ": " +
                     (error == 0 ? "the answer is not HTTP" : std::strerror(error));
      socket_ = Descriptor();
      return false;
    }
    *reply = {response.status, std::move(response.body), {}};
    if (!sent || !response.keeps_alive) socket_ = Descriptor();
    return true;
  }

  const Address address_;
  std::string head_;
  Descriptor socket_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(const std::string& endpoint, const std::string& api_key,
                                               std::string* error) {
  std::optional<Address> address = parse(endpoint);
  if (!address || api_key.find_first_of("\r\n") != std::string::npos) {
    *error = address ? "the API key has a line break"
                     : "endpoint \"" + endpoint + "\" is neither unix:/path nor http://host:port";
    return nullptr;
  }
  return std::make_unique<HttpTransport>(*std::move(address), api_key);
}

}  // namespace kleptometrics::internal
