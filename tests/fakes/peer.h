// Whoever answers at a Unix socket: says what it is told to each that connects, and keeps what it was asked.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "lib/base/mutex.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fakes {

class Peer {
 public:
  enum class After { kClose, kHang };  // once the answer is said: hang until the test ends

  explicit Peer(std::string answer, After after = After::kClose) : answer_(std::move(answer)), after_(after) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof(address.sun_path) - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listener_, 64) != 0)
      throw std::runtime_error("cannot listen at " + path());
    thread_ = std::thread([this] { serve(); });
  }
  ~Peer() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  std::string endpoint() const { return "unix:" + path(); }
  // The last request; after its answer came.
  std::string asked() const {
    const Lock lock(mutex_);
    return asked_;
  }

 private:
  std::string path() const { return dir_ / "peer.sock"; }

  static bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 10) > 0;
  }

  void serve() {
    while (!stop_) {
      if (!readable(listener_)) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      talk(fd);
      ::close(fd);
    }
  }

  void talk(int fd) {
    std::string request;
    char buffer[4096];
    while (!stop_ && request.find("\r\n\r\n") == std::string::npos) {
      if (!readable(fd)) continue;
      const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
      if (got <= 0) return;
      request.append(buffer, static_cast<std::size_t>(got));
    }
    {
      const Lock lock(mutex_);
      asked_ = request;
    }
    ::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    while (after_ == After::kHang && !stop_) ::poll(nullptr, 0, 5);
  }

  const tests::TempDir dir_;
  const std::string answer_;
  const After after_;
  int listener_ = -1;
  mutable Mutex mutex_;
  std::string asked_ KLEPTO_GUARDED_BY(mutex_);
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace kleptometrics::fakes
