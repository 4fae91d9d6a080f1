// What the guard's tests talk through: a peer on a raw socket, which may say anything, and a front with a
// handler that tells what reached it. All waits end after a few seconds.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "aggregator/base/unique_fd.h"
#include "aggregator/http/guard/server.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator::http::guard {

struct Reply {
  int status = 0;  // 0: the connection ended instead
  std::string head;
  std::string body;

  bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != head.npos; }
};

class Peer {
 public:
  static Peer tcp(const std::string& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<in_port_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(AF_INET, to);
  }
  static Peer local(const std::string& path) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    return connect(AF_UNIX, to);
  }

  bool connected() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }

  // False when the other side does not take it all.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }

  // The next response. `bodiless`: of a HEAD.
  Reply reply(bool bodiless = false) {
    Reply out;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
      if (!more()) return out;
    }
    out.head = buffer_.substr(0, end + 4);
    buffer_.erase(0, end + 4);
    const std::size_t length = out.head.find("\r\nContent-Length: ");
    const std::size_t bytes = length == out.head.npos || bodiless ? 0 : std::stoul(out.head.substr(length + 18));
    while (buffer_.size() < bytes) {
      if (!more()) return out;
    }
    out.body = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    out.status = std::stoi(out.head.substr(9, 3));
    return out;
  }
  Reply ask(std::string_view request) {
    send(request);
    return reply();
  }

  // Whether the other side closes before the patience ends; what still comes is read.
  bool closed() {
    while (more()) {
    }
    return ended_;
  }

 private:
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  template <typename Address>
  static Peer connect(int family, const Address& to) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fd.reset();
    return Peer(std::move(fd));
  }

  bool more() {
    char bytes[16384];
    const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EAGAIN)) ended_ = true;
    return n > 0;
  }

  UniqueFd fd_;
  std::string buffer_;
  bool ended_ = false;
};

inline std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

inline std::string post_head(std::size_t bytes, std::string_view more = "") {
  return "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(bytes) + "\r\n" + std::string(more) + "\r\n";
}
inline std::string post(std::string_view body) { return post_head(body.size()) + std::string(body); }

// A folder of its own for a socket file.
struct TemporaryFolder {
  tests::TempDir dir;
  std::string file() const { return dir / "s"; }
};

// Answers `METHOD path key=value,…;type;body`, with three paths that do something else.
inline Response tell(const Request& request) {
  if (request.path == "/throw") throw std::runtime_error("secret");
  Response response;
  response.content_type = "text/plain";
  if (request.path == "/bytes") {
    response.body.assign(std::stoul(request.query.at(0).second), 'x');
    return response;
  }
  if (request.path == "/nothing") {
    response.status = 204;
    return response;
  }
  response.body = request.method + " " + request.path + " ";
  for (const auto& [key, value] : request.query) response.body += key + "=" + value + ",";
  response.body += ";" + request.content_type + ";" + request.body;
  return response;
}

// A front that is running, on TCP and on a Unix socket.
class Front {
 public:
  explicit Front(const GuardLimits& limits = {}, std::function<Response(const Request&)> handler = tell,
                 Server::Options options = {}) {
    options.listen = "127.0.0.1:0";
    options.socket_path = folder_.file();
    options.limits = limits;
    auto server = Server::create(options, std::move(handler));
    if (!server.ok()) throw std::runtime_error(std::string(server.status().message()));
    server_ = *std::move(server);
    server_->start();
  }

  Peer tcp() const { return Peer::tcp(server_->listen_address()); }
  Peer local() const { return Peer::local(server_->socket_path()); }
  Server& server() { return *server_; }
  GuardCounts counts() const { return server_->counts(); }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Server> server_;
};

// A handler that keeps its callers until it is opened.
class Gate {
 public:
  Response operator()(const Request& request) {
    if (request.path == "/wait") {
      ++waiting;
      waiting.notify_all();
      open_.wait(false);
    }
    return tell(request);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  void await(int count) {
    for (int now = waiting; now < count; now = waiting) waiting.wait(now);
  }

  std::atomic<int> waiting{0};

 private:
  std::atomic<bool> open_{false};
};

// Resident memory of this process, in bytes.
inline std::size_t resident_bytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;  // memory is not what it would be, and everything is slower
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace kleptometrics::aggregator::http::guard
