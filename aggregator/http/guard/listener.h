// The listening sockets: one TCP address, one Unix socket file. Made once at the start, by the server.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/base/unique_fd.h"

namespace kleptometrics::aggregator::http::guard {

// A socket that listens: non-blocking, closed on exec, with the longest queue of waiting peers that the
// system gives. One thread at a time. A Unix socket's file goes with it, if it is still the one that was made
// here.
class [[nodiscard]] Listener {
 public:
  enum class Reach {
    kLoopback,  // programs of this machine
    kBeyond,    // whoever can reach the address: only with API keys and TLS
  };
  // `address` is HOST:PORT; the host is an IPv4 address, an IPv6 address in brackets, or `localhost`
  // (127.0.0.1); port 0 takes a free one. InvalidArgument for another form and for addresses beyond `reach`,
  // else what the system said, as one line that names the address. SO_REUSEADDR, never SO_REUSEPORT: an
  // address in use is an error.
  static absl::StatusOr<Listener> tcp(std::string_view address, Reach reach = Reach::kLoopback);

  // Makes the socket file with the permissions `mode`; its folder must exist. A socket file that nobody
  // serves any more is replaced. AlreadyExists where another process serves it; FailedPrecondition where the
  // file is no socket.
  static absl::StatusOr<Listener> unix_socket(const std::string& path, mode_t mode);

  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();  // close()

  void close();

  int fd() const { return fd_.get(); }
  bool is_tcp() const { return path_.empty(); }
  // HOST:PORT with the real port, or the socket's path.
  const std::string& address() const { return address_; }
  // Of TCP: as a Host header would name it.
  const std::string& host() const { return host_; }
  bool is_beyond_loopback() const { return beyond_loopback_; }

 private:
  Listener(UniqueFd fd, std::string address) : fd_(std::move(fd)), address_(std::move(address)) {}

  UniqueFd fd_;
  std::string address_;
  std::string host_;
  bool beyond_loopback_ = false;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace kleptometrics::aggregator::http::guard
