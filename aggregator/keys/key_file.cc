#include "aggregator/keys/key_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"
#include "aggregator/base/unique_fd.h"

namespace kleptometrics::aggregator::keys {
namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;

absl::Status failed(std::string_view doing, const std::string& path, int error) {
  return {absl::ErrnoToStatusCode(error), absl::StrCat(absl_view(doing), " ", path, ": ", std::strerror(error))};
}

bool is_open_to_others(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && (info.st_mode & 0004U) != 0;
}

absl::Status check_owner(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return failed("read", path, errno);
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": is not a file"));
  if (info.st_uid != 0 && info.st_uid != ::geteuid())
    return absl::PermissionDeniedError(absl::StrCat(path, ": belongs to another user"));
  if ((info.st_mode & 0022U) != 0)
    return absl::PermissionDeniedError(absl::StrCat(path, ": other users may write to it; its mode should be 0600"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", path, errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kFileBytesMax) return absl::InvalidArgumentError(absl::StrCat(path, ": larger than 1 MiB"));
  }
}

// What is there must be in order: a line is never added to a file that nobody could read afterwards.
absl::Status append(int fd, const std::string& path, const KnownKey& key) {
  if (absl::Status status = check_owner(fd, path); !status.ok()) return status;
  const absl::StatusOr<std::string> text = read_all(fd, path);
  if (!text.ok()) return text.status();
  const bool cut = !text->empty() && text->back() != '\n';
  const std::string added = absl::StrCat(cut ? "\n" : "", line_of(key), "\n");
  if (auto ring = KeyRing::parse(*text + added, path); !ring.ok()) return ring.status();
  const ssize_t written = ::write(fd, added.data(), added.size());  // O_APPEND
  if (written != static_cast<ssize_t>(added.size())) return failed("write", path, written < 0 ? errno : ENOSPC);
  return ::fsync(fd) == 0 ? absl::OkStatus() : failed("write", path, errno);
}

}  // namespace

absl::StatusOr<KeyRing> read_key_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return failed("read", path, errno);
  if (absl::Status status = check_owner(fd.get(), path); !status.ok()) return status;
  const absl::StatusOr<std::string> text = read_all(fd.get(), path);
  if (!text.ok()) return text.status();
  return KeyRing::parse(*text, path);
}

absl::StatusOr<std::unique_ptr<KeyFile>> KeyFile::open(const std::string& path) {
  std::unique_ptr<KeyFile> file(new KeyFile(path));
  if (absl::Status status = file->reload(); !status.ok()) return status;
  if (is_open_to_others(path)) log_info("all users may read the hashes of the API keys file=" + path);
  return file;
}

absl::Status KeyFile::reload() {
  absl::StatusOr<KeyRing> ring = read_key_file(path_);
  if (!ring.ok()) return ring.status();
  auto read = std::make_shared<const KeyRing>(*std::move(ring));
  const Lock lock(mutex_);
  ring_ = std::move(read);
  return absl::OkStatus();
}

std::shared_ptr<const KeyRing> KeyFile::ring() const {
  const Lock lock(mutex_);
  return ring_;
}

absl::StatusOr<NewKey> add_key(const std::string& path, const std::string& name, Scope scope) {
  if (!is_name(name))
    return absl::InvalidArgumentError("a key's name has 1 to 64 letters, digits and . _ -, a letter or digit first");
  std::optional<std::string> key = make_key();
  if (!key) return absl::UnavailableError("the system has no random bytes");
  const KnownKey known{name, scope, hash_of(*key)};
  NewKey made{*std::move(key), line_of(known)};
  if (path.empty()) return made;
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return failed("write", path, errno);
  if (::flock(fd.get(), LOCK_EX) != 0) return failed("write", path, errno);
  if (absl::Status status = append(fd.get(), path, known); !status.ok()) return status;
  return made;
}

absl::Status check_secret_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failed("read", path, errno);
  if ((info.st_mode & 0027U) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(path, ": other users may read or write it; its mode should be 0600"));
}

}  // namespace kleptometrics::aggregator::keys
