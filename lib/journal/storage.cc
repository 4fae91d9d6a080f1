#include "lib/journal/storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace kleptometrics::journal {
namespace {

std::string failed(std::string_view what, const std::string& path, int error) {
  return std::string(what) + " " + path + ": " + std::generic_category().message(error);
}

bool is_journal(std::string_view name) { return name.ends_with(kSuffix) || name.ends_with(kNewSuffix); }

// Bytes of all journals in the directory. False, with `error` set, if it cannot be listed.
bool used_bytes(const std::string& directory, std::size_t* bytes, std::string* error) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) {
    *error = failed("open spool directory", directory, errno);
    return false;
  }
  *bytes = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    struct stat status {};
    if (!is_journal(entry->d_name)) continue;
    if (::fstatat(::dirfd(dir.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode)) *bytes += static_cast<std::size_t>(status.st_size);
  }
  return true;
}

bool has_room(const Writer::Options& options, std::size_t bytes, std::string* error) {
  std::size_t used = 0;
  if (!used_bytes(options.directory, &used, error)) return false;
  if (bytes <= options.directory_bytes_max && used <= options.directory_bytes_max - bytes) return true;
  *error = "journals in " + options.directory + " take " + std::to_string(used) + " bytes; " + std::to_string(bytes) +
           " more would exceed " + std::to_string(options.directory_bytes_max);
  return false;
}

// Beyond the limit the kernel does not just refuse: it kills the host with SIGXFSZ.
bool within_file_limit(std::size_t bytes, std::string* error) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return true;
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= bytes) return true;
  *error = "files of this process are limited to " + std::to_string(limit.rlim_cur) + " bytes";
  return false;
}

std::string random_name() {
  char name[33];
  std::snprintf(name, sizeof name, "%016llx%016llx", static_cast<unsigned long long>(random_bits()),
                static_cast<unsigned long long>(random_bits()));
  return name;
}

// A host that starts without standard streams would print into a journal with descriptor 1.
int above_standard_streams(int fd) noexcept {
  if (fd < 0 || fd > 2) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  ::close(fd);
  errno = error;
  return moved;
}

int open_exclusively(const std::string& path) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return above_standard_streams(fd);
}

int allocate(int fd, std::size_t bytes) noexcept {
  int error = 0;
  do {
    error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  return error;
}

bool lock(int fd) noexcept {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &whole) == 0;
}

// Unlinks a file unless told that it is good. Borrows its path: there may be no memory for another.
struct Unfinished {
  explicit Unfinished(const std::string& file) noexcept : path(&file) {}
  ~Unfinished() {
    if (path != nullptr) ::unlink(path->c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void keep() noexcept { path = nullptr; }

  const std::string* path;
};

}  // namespace

Storage::~Storage() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
  close_file();
}

Storage::Storage(Storage&& other) noexcept { *this = std::move(other); }

Storage& Storage::operator=(Storage&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(fd_, other.fd_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  path_.swap(other.path_);
  return *this;
}

Storage Storage::make_file(const Writer::Options& options, const Head& head, std::string* error) {
  const auto bytes = static_cast<std::size_t>(head.file_bytes);
  if (!has_room(options, bytes, error) || !within_file_limit(bytes, error)) return {};
  std::error_code no_place;
  // Absolute: a daemon changes its directory.
  const std::filesystem::path directory = std::filesystem::absolute(options.directory, no_place);
  if (no_place) {
    *error = failed("find spool directory", options.directory, no_place.value());
    return {};
  }
  const std::string path = (directory / random_name()).string();
  const std::string new_path = path + std::string(kNewSuffix);
  std::string final_path = path + std::string(kSuffix);
  Storage storage;
  if (!storage.open_new(new_path, error)) return {};
  Unfinished unfinished(new_path);
  if (!storage.prepare(bytes, error)) {
    *error = "make journal " + new_path + ": " + *error;
    return {};
  }
  write_head(head, storage.base_);
  if (::rename(new_path.c_str(), final_path.c_str()) != 0) {
    *error = failed("name journal", final_path, errno);
    return {};
  }
  unfinished.keep();
  storage.path_.swap(final_path);
  return storage;
}

Storage Storage::make_private(std::size_t bytes) noexcept {
  Storage storage;
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return storage;
  storage.base_ = static_cast<char*>(base);
  storage.bytes_ = bytes;
  return storage;
}

bool Storage::open_new(const std::string& path, std::string* error) {
  fd_ = open_exclusively(path);
  struct stat status {};
  if (fd_ >= 0 && ::fstat(fd_, &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
    return true;
  }
  *error = failed("make journal", path, errno);
  return false;
}

bool Storage::prepare(std::size_t bytes, std::string* error) {
  ::fchmod(fd_, 0600);  // whatever the umask took away
  int problem = allocate(fd_, bytes);
  if (problem == 0) {
    void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (base == MAP_FAILED) {
      problem = errno;
    } else {
      base_ = static_cast<char*>(base);
      bytes_ = bytes;
    }
  }
  if (problem == 0 && !lock(fd_)) problem = errno;
  if (problem != 0) *error = std::generic_category().message(problem);
  return problem == 0;
}

void Storage::close_file() noexcept {
  struct stat status {};
  if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) ::close(fd_);
  fd_ = -1;
}

std::uint64_t random_bits() noexcept {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof bits)) return bits;
  // 16 random bytes that the kernel gave this program at its start; a child has the same, but not the same
  // pid.
  static std::atomic<std::uint64_t> calls{1};
  if (const auto* seed = reinterpret_cast<const char*>(::getauxval(AT_RANDOM))) bits = get<std::uint64_t>(seed);
  bits ^= calls.fetch_add(1) * 0x9e3779b97f4a7c15U + (static_cast<std::uint64_t>(::getpid()) << 32U);
  bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;  // splitmix64 (Steele, Lea, Flood 2014)
  bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31U);
}

}  // namespace kleptometrics::journal
