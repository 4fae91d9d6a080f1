// A file descriptor of ours in a process that is not: its host may close all there are, and then its own files go by
// the same numbers. So each notes what it was opened on, and is used and closed only while it still is that.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace kleptometrics {

// Movable; one thread at a time.
class Descriptor {
 public:
  Descriptor() = default;
  // Takes it; negative: none.
  explicit Descriptor(int fd) noexcept : fd_(fd) {
    struct stat info {};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0) return;
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  Descriptor(Descriptor&& other) noexcept { *this = std::move(other); }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
  }
  ~Descriptor() {
    if (is_ours()) ::close(fd_);
  }

  int fd() const noexcept { return fd_; }  // negative: none
  bool is_ours() const noexcept {          // asks the kernel
    struct stat info {};
    return fd_ >= 0 && ::fstat(fd_, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
  }

 private:
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace kleptometrics
