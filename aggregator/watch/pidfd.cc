#include "aggregator/watch/pidfd.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "lib/journal/process.h"

namespace kleptometrics::aggregator {
namespace {

// Of <linux/pidfd.h> since 6.15; what builds on older headers runs on newer kernels. Only ever grows at its end.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t kInfoExit = 1U << 3U;
constexpr long kPidfsMagic = 0x50494446;

std::optional<int> told_by_kernel(int pidfd) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_code;
}

std::optional<int> told_by_proc(int pidfd, std::uint32_t pid) {
  const auto stat = journal::process_stat(pid);
  if (!stat || !stat->wait_status) return std::nullopt;
  // Not yet reaped after that was read: the pid was still its own.
  const bool still_there = ::syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) == 0 || errno == EPERM;
  return still_there ? stat->wait_status : std::nullopt;
}

}  // namespace

UniqueFd open_pidfd(std::uint32_t pid, std::uint64_t start_ticks) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.valid()) return fd;
  // After it was opened: if the pid is the program's now, it was then, and always has been since.
  const auto stat = journal::process_stat(pid);
  if (stat && stat->start_ticks == start_ticks) return fd;
  errno = ESRCH;
  return {};
}

bool has_ended(int pidfd) {
  pollfd poll{pidfd, POLLIN, 0};
  return ::poll(&poll, 1, 0) == 1;
}

std::optional<int> wait_status_of(int pidfd, std::uint32_t pid) {
  if (!has_ended(pidfd)) return std::nullopt;
  auto status = told_by_kernel(pidfd);
  if (!status) status = told_by_proc(pidfd, pid);
  if (!status) status = told_by_kernel(pidfd);  // reaped in between
  return status;
}

std::optional<std::uint64_t> identity_of(int pidfd) {
  struct statfs system {};
  struct stat file {};
  if (::fstatfs(pidfd, &system) != 0 || system.f_type != kPidfsMagic || ::fstat(pidfd, &file) != 0) return std::nullopt;
  return file.st_ino;
}

std::uint32_t own_pid_of(std::uint32_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("NSpid:", 0) != 0) continue;
    std::istringstream pids(line.substr(6));
    std::uint32_t last = 0;
    while (pids >> last) {
    }
    return last;
  }
  return 0;
}

}  // namespace kleptometrics::aggregator
