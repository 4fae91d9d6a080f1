#include "aggregator/store/sqlite/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr mode_t kOwnerOnly = 0600;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// O_NONBLOCK: a FIFO in the place of the file is to be an error, not a wait.
absl::StatusOr<int> open_regular(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, kOwnerOnly);
  if (fd < 0) {
    const int error = errno;
    if (error == ELOOP) return absl::FailedPreconditionError(absl::StrCat(path, " is a symbolic link"));
    return absl::ErrnoToStatus(error, path);
  }
  struct stat found {};
  if (::fstat(fd, &found) == 0 && S_ISREG(found.st_mode)) return fd;
  ::close(fd);
  return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
}

absl::Status sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, folder);
  const absl::Status status = ::fsync(fd) == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, folder);
  ::close(fd);
  return status;
}

}  // namespace

absl::StatusOr<FileLock> FileLock::take(const std::string& path) {
  const std::string name = path + "-lock";
  const absl::StatusOr<int> fd = open_regular(name);
  if (!fd.ok()) return fd.status();
  FileLock lock(*fd);
  if (::flock(*fd, LOCK_EX | LOCK_NB) == 0) return lock;
  const int error = errno;
  if (error == EWOULDBLOCK) {
    return absl::FailedPreconditionError(absl::StrCat("another process has it open (it holds ", name, ")"));
  }
  return absl::ErrnoToStatus(error, absl::StrCat("lock ", name));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status check_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat found {};
  if (::stat(folder.c_str(), &found) != 0) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR) return absl::ErrnoToStatus(error, folder);
    return absl::InvalidArgumentError(absl::StrCat("the folder ", folder, " does not exist"));
  }
  if (S_ISDIR(found.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(folder, " is not a folder"));
}

absl::Status make_file(const std::string& path) {
  struct stat found {};
  const bool existed = ::lstat(path.c_str(), &found) == 0;
  const absl::StatusOr<int> fd = open_regular(path);
  if (!fd.ok()) return fd.status();
  ::close(*fd);
  return existed ? absl::OkStatus() : sync_folder(folder_of(path));
}

absl::Status sync_folder_of(const std::string& path) { return sync_folder(folder_of(path)); }

absl::Status check_room(const std::string& path, std::uint64_t bytes) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return absl::OkStatus();
  const std::uint64_t blocks = ::geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
  if (blocks >= bytes / disk.f_frsize) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("only ", blocks * disk.f_frsize, " bytes are left on the disk"));
}

}  // namespace kleptometrics::aggregator::sqlite
