#include "aggregator/http/guard/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/http/guard/text.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

constexpr int kBacklog = 1024;

absl::Status failed(std::string_view what, std::string_view address, int error) {
  std::string reason = std::generic_category().message(error);
  reason[0] = to_lower(reason[0]);
  return {absl::ErrnoToStatusCode(error), absl::StrCat(absl_view(what), " ", absl_view(address), ": ", reason)};
}

absl::Status bad_address(std::string_view address, std::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("listen on ", absl_view(address), ": ", absl_view(reason)));
}

struct TcpAddress {
  std::string host;  // as given, lower case, IPv6 in brackets
  sockaddr_storage socket_address{};
  socklen_t length = 0;
  bool beyond_loopback = false;
};

template <typename Address>
void store(const Address& from, TcpAddress& into) {
  std::memcpy(&into.socket_address, &from, sizeof from);
  into.length = sizeof from;
}

// 1 for loopback, 0 for another address, -1 for no address.
int read_host(const std::string& host, in_port_t port, TcpAddress& out) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = port;
  if (::inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &v4.sin_addr) == 1) {
    store(v4, out);
    return ntohl(v4.sin_addr.s_addr) >> 24U == 127 ? 1 : 0;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = port;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!bracketed || ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6.sin6_addr) != 1) return -1;
  store(v6, out);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ? 1 : 0;
}

absl::StatusOr<TcpAddress> parse_address(std::string_view text, Listener::Reach reach) {
  const std::size_t colon = text.rfind(':');
  const std::string_view digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  if (colon == text.npos || colon == 0) return bad_address(text, "expected HOST:PORT");
  const bool numeric = !digits.empty() && digits.size() <= 5 && std::all_of(digits.begin(), digits.end(), is_digit);
  const int port = numeric ? std::stoi(std::string(digits)) : -1;
  if (port < 0 || port > 65535) return bad_address(text, "the port must be a number from 0 to 65535");
  TcpAddress out;
  out.host = lower(text.substr(0, colon));
  const int kind = read_host(out.host, htons(static_cast<in_port_t>(port)), out);
  if (kind < 0) return bad_address(text, "the host must be localhost, an IPv4 address, or an IPv6 address in brackets");
  out.beyond_loopback = kind == 0;
  if (out.beyond_loopback && reach == Listener::Reach::kLoopback)
    return bad_address(text, "beyond loopback needs API keys (--api_key_file) and TLS (--tls_certificate, --tls_key)");
  return out;
}

int bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

UniqueFd new_socket(int family) { return UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

// Whether a process answers at a socket file: 0 or the error of connecting.
int probe(const sockaddr_un& address) {
  const UniqueFd fd = new_socket(AF_UNIX);
  if (!fd.valid()) return errno;
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

absl::Status clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat before {};
  if (::lstat(path.c_str(), &before) != 0) {
    return errno == ENOENT ? absl::OkStatus() : failed("listen on", path, errno);
  }
  if (!S_ISSOCK(before.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("listen on ", path, ": the file exists and is not a socket"));
  }
  const int error = probe(address);
  if (error == 0 || error == EAGAIN) {  // EAGAIN: its queue of waiting peers is full
    return absl::AlreadyExistsError(absl::StrCat("listen on ", path, ": another process serves this socket"));
  }
  if (error != ECONNREFUSED && error != ENOENT) return failed("listen on", path, error);
  struct stat now {};
  if (::lstat(path.c_str(), &now) != 0 || !same_file(before, now)) return absl::OkStatus();  // bind() will tell
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : failed("remove stale socket", path, errno);
}

}  // namespace

absl::StatusOr<Listener> Listener::tcp(std::string_view text, Reach reach) {
  const absl::StatusOr<TcpAddress> address = parse_address(text, reach);
  if (!address.ok()) return address.status();
  UniqueFd fd = new_socket(address->socket_address.ss_family);
  if (!fd.valid()) return failed("listen on", text, errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address->socket_address), address->length) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return failed("listen on", text, errno);
  }
  const int port = bound_port(fd.get());
  Listener listener(std::move(fd), absl::StrCat(address->host, ":", port));
  listener.host_ = address->host;
  listener.beyond_loopback_ = address->beyond_loopback;
  return listener;
}

absl::StatusOr<Listener> Listener::unix_socket(const std::string& path, mode_t mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != path.npos) {
    return absl::InvalidArgumentError(absl::StrCat("listen on ", path, ": the path of a socket has 1 to ",
                                                   sizeof address.sun_path - 1, " bytes, this has ", path.size()));
  }
  path.copy(address.sun_path, path.size());
  if (absl::Status status = clear_stale(path, address); !status.ok()) return status;
  UniqueFd fd = new_socket(AF_UNIX);
  if (!fd.valid()) return failed("listen on", path, errno);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("listen on", path, errno);
  }
  Listener listener(std::move(fd), path);
  listener.path_ = path;
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return failed("listen on", path, errno);
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  // Nobody can connect between bind and listen, so nobody passes before the permissions are set.
  if (::chmod(path.c_str(), mode) != 0 || ::listen(listener.fd(), kBacklog) != 0)
    return failed("listen on", path, errno);
  return listener;
}

Listener::~Listener() { close(); }

void Listener::close() {
  if (!fd_.valid()) return;
  fd_.reset();
  if (path_.empty()) return;
  struct stat now {};
  if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace kleptometrics::aggregator::http::guard
