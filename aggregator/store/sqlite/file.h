// The files of a database before SQLite sees them: made for their owner alone, never through a symbolic link,
// and locked against a second process.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::sqlite {

// Holds PATH-lock while it lives; the kernel lets go when the process ends, however it ends. The file stays.
class [[nodiscard]] FileLock {
 public:
  // FailedPrecondition if another holds it.
  static absl::StatusOr<FileLock> take(const std::string& path);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

// InvalidArgument if the folder of `path` does not exist.
absl::Status check_folder(const std::string& path);
// Makes an empty file of mode 0600, durably, if there is none. To be called before SQLite opens it: closing
// any descriptor of a file drops all POSIX locks that the process has on it.
absl::Status make_file(const std::string& path);
// Unavailable if the file system of `path` has no room for so many bytes; OK also where it does not say.
absl::Status check_room(const std::string& path, std::uint64_t bytes);

// Makes the name of a file durable.
absl::Status sync_folder_of(const std::string& path);

}  // namespace kleptometrics::aggregator::sqlite
