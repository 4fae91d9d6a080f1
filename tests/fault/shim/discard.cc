#include "tests/fault/shim/discard.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace kleptometrics::fault {
namespace {

struct Write {
  int fd = -1;
  off_t offset = 0, file_size = 0;  // before it
  std::vector<char> before;
};

constexpr std::size_t kWritesMax = 100'000;

std::mutex mutex;
std::vector<Write>& writes() {
  static auto* const all = new std::vector<Write>;  // outlives the program's static objects
  return *all;
}

}  // namespace

void remember(int fd, std::size_t size, off_t offset) noexcept {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
  Write write{fd, offset, info.st_size, std::vector<char>(size)};
  const ssize_t got = ::pread(fd, write.before.data(), size, offset);
  write.before.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::lock_guard lock(mutex);
  if (writes().size() < kWritesMax) writes().push_back(std::move(write));
}

void settle(int fd) noexcept {
  const std::lock_guard lock(mutex);
  std::erase_if(writes(), [&](const Write& write) { return write.fd == fd; });
}

void discard(int fd) noexcept {
  const std::lock_guard lock(mutex);
  for (auto write = writes().rbegin(); write != writes().rend(); ++write) {
    if (write->fd != fd) continue;
    ::syscall(SYS_pwrite64, fd, write->before.data(), write->before.size(), write->offset);
    ::syscall(SYS_ftruncate, fd, write->file_size);
  }
  std::erase_if(writes(), [&](const Write& write) { return write.fd == fd; });
}

}  // namespace kleptometrics::fault
