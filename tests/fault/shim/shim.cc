// A preloaded library that makes one chosen system call of a program fail; shim.h says how it is told which. It stands
// between the program and the C library: calls that the C library makes for itself (its streams, its allocator, the
// loader) pass by it. Everything real is done by bare system calls, so nothing here depends on what is loaded when.
#include "tests/fault/shim/shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "tests/fault/shim/discard.h"

namespace kleptometrics::fault {
namespace {

constexpr int kShort = -1;
constexpr time_t kDay = 24 * 3600;

int error_of(const char* name) noexcept {
  if (name == nullptr) return EIO;
  if (std::strcmp(name, "ENOSPC") == 0) return ENOSPC;
  if (std::strcmp(name, "EMFILE") == 0) return EMFILE;
  if (std::strcmp(name, "ENOMEM") == 0) return ENOMEM;
  if (std::strcmp(name, "EINTR") == 0) return EINTR;
  return std::strcmp(name, "short") == 0 ? kShort : EIO;
}

bool flag(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value != nullptr && *value == '1';
}

std::uint64_t number(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

Report nobody_reads{};

Report* map_report() noexcept {
  const char* path = std::getenv("KLEPTO_FAULT_REPORT");
  const auto fd = path == nullptr ? -1 : static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
  if (fd < 0) return &nobody_reads;
  const long place = ::syscall(SYS_mmap, nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::syscall(SYS_close, fd);
  return place == -1 ? &nobody_reads : reinterpret_cast<Report*>(place);
}

// A heap that is a library of its own maps its memory through here; the C library's heap does not, and neither is ours
// to fail: what malloc does without memory is tried by failing malloc.
bool is_the_heap(const void* caller) {
  Dl_info info{};
  return ::dladdr(caller, &info) != 0 && info.dli_fname != nullptr &&
         std::strstr(info.dli_fname, "jemalloc") != nullptr;
}

struct Plan {
  const char* call = nullptr;
  std::uint64_t at = 0;
  int error = EIO;
  bool discards = false, retries = false;
  std::uint64_t wall_every = 0;
  Report* report = &nobody_reads;
  std::atomic<bool> sync_failed{false};
  std::atomic<std::uint64_t> wall_readings{0};
};

Plan* read_plan() noexcept {
  static Plan plan;
  plan.call = std::getenv("KLEPTO_FAULT_CALL");
  plan.at = number("KLEPTO_FAULT_AT");
  plan.error = error_of(std::getenv("KLEPTO_FAULT_ERROR"));
  plan.discards = flag("KLEPTO_FAULT_DISCARD");
  plan.retries = flag("KLEPTO_FAULT_RETRY");
  plan.wall_every = number("KLEPTO_FAULT_WALL");
  plan.report = map_report();
  return &plan;
}

// The run time of a sanitizer calls before there is an environment.
Plan& plan() noexcept {
  static Plan nothing;
  if (::environ == nullptr) return nothing;
  static Plan* const one = read_plan();
  return *one;
}

bool is_meant(const char* call) noexcept { return plan().call != nullptr && std::strcmp(plan().call, call) == 0; }

// 0: do it; an errno: fail with it; kShort: do half of it.
int verdict(const char* call) noexcept {
  if (!is_meant(call)) return 0;
  if (plan().report->calls.fetch_add(1) + 1 != plan().at) return 0;
  ++plan().report->failed;
  return plan().error;
}

template <typename... Arguments>
long real(long call, Arguments... arguments) noexcept {
  return ::syscall(call, arguments...);
}

// A call that has no short form.
template <typename... Arguments>
long faulty(const char* name, long call, Arguments... arguments) noexcept {
  const int error = verdict(name);
  if (error == 0 || error == kShort) return real(call, arguments...);
  errno = error;
  return -1;
}

mode_t kind_of(int fd) noexcept {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_mode & static_cast<mode_t>(S_IFMT) : 0;
}

void note_write(int fd) noexcept {
  if (plan().sync_failed && kind_of(fd) == S_IFREG) ++plan().report->writes_after;
}

std::size_t half_if(int error, std::size_t size) noexcept { return error == kShort && size > 1 ? size / 2 : size; }

int sync_once(const char* name, long call, int fd) noexcept {
  if (kind_of(fd) == S_IFDIR) return static_cast<int>(faulty("sync_folder", call, fd));
  note_write(fd);
  const int error = verdict(name);
  if (error != 0 && error != kShort) {
    if (plan().discards) discard(fd);
    errno = error;
    return -1;
  }
  const auto result = static_cast<int>(real(call, fd));
  if (result == 0 && plan().discards) settle(fd);
  return result;
}

int sync_file(const char* name, long call, int fd) noexcept {
  int result = sync_once(name, call, fd);
  if (result != 0 && plan().retries) result = sync_once(name, call, fd);
  if (result != 0 && kind_of(fd) != S_IFDIR) plan().sync_failed = true;
  return result;
}

ssize_t write_at(int fd, const void* bytes, std::size_t size, off_t offset) noexcept {
  note_write(fd);
  const int error = verdict("pwrite");
  if (error > 0) {
    errno = error;
    return -1;
  }
  size = half_if(error, size);
  if (plan().discards) remember(fd, size, offset);
  return real(SYS_pwrite64, fd, bytes, size, offset);
}

int open_at(int directory, const char* path, int flags, mode_t mode) noexcept {
  return static_cast<int>(faulty("open", SYS_openat, directory, path, flags, mode));
}

// The mode is there only if the flags ask for it.
mode_t mode_of(int flags, va_list arguments) noexcept {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int turn_back(timespec* time) noexcept {
  const std::uint64_t reading = plan().wall_readings.fetch_add(1) + 1;
  if (reading % plan().wall_every == 0) ++plan().report->jumps;
  if (reading / plan().wall_every % 2 == 1) time->tv_sec += kDay;
  return 0;
}

}  // namespace
}  // namespace kleptometrics::fault

using namespace kleptometrics::fault;  // NOLINT(google-build-using-namespace): what follows is outside by nature

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(directory, path, flags, mode);
}

int __open_2(const char* path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }

ssize_t write(int fd, const void* bytes, std::size_t size) {
  const int error = verdict("write");
  if (error > 0) {
    errno = error;
    return -1;
  }
  return kleptometrics::fault::real(SYS_write, fd, bytes, half_if(error, size));
}

ssize_t pwrite(int fd, const void* bytes, std::size_t size, off_t offset) { return write_at(fd, bytes, size, offset); }
ssize_t pwrite64(int fd, const void* bytes, std::size_t size, off64_t offset) {
  return write_at(fd, bytes, size, offset);
}

int fsync(int fd) { return sync_file("fsync", SYS_fsync, fd); }
int fdatasync(int fd) { return sync_file("fdatasync", SYS_fdatasync, fd); }

int ftruncate(int fd, off_t size) noexcept {
  note_write(fd);
  return static_cast<int>(faulty("ftruncate", SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t size) {
  return static_cast<int>(faulty("fallocate", SYS_fallocate, fd, mode, offset, size));
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) { return fallocate(fd, mode, offset, size); }
int posix_fallocate(int fd, off_t offset, off_t size) { return fallocate(fd, 0, offset, size) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return posix_fallocate(fd, offset, size); }

int unlink(const char* path) noexcept { return static_cast<int>(faulty("unlink", SYS_unlinkat, AT_FDCWD, path, 0)); }

int rename(const char* from, const char* to) noexcept {
  return static_cast<int>(faulty("rename", SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

void* mmap(void* where, std::size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (is_the_heap(__builtin_return_address(0)))
    return reinterpret_cast<void*>(::syscall(SYS_mmap, where, size, protection, flags, fd, offset));
  return reinterpret_cast<void*>(faulty("mmap", SYS_mmap, where, size, protection, flags, fd, offset));
}
void* mmap64(void* where, std::size_t size, int protection, int flags, int fd, off64_t offset) noexcept {
  return reinterpret_cast<void*>(faulty("mmap", SYS_mmap, where, size, protection, flags, fd, offset));
}

int connect(int fd, const sockaddr* to, socklen_t size) {
  return static_cast<int>(faulty("connect", SYS_connect, fd, to, size));
}

ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  const int error = verdict("send");
  if (error > 0) {
    errno = error;
    return -1;
  }
  return kleptometrics::fault::real(SYS_sendto, fd, bytes, half_if(error, size), flags, nullptr, 0);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(kleptometrics::fault::real(SYS_clock_gettime, clock, time));
  return result == 0 && clock == CLOCK_REALTIME && plan().wall_every != 0 ? turn_back(time) : result;
}

}  // extern "C"
