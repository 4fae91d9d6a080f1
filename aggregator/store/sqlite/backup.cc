// A copy of the file as it is at one instant, made by VACUUM INTO on a reader: the aggregator that has the store open
// is not held up, and its commits meanwhile are not in the copy. It holds what was committed, settled or not.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/file.h"
#include "aggregator/store/sqlite/schema.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/sqlite/status.h"

namespace kleptometrics::aggregator {
namespace {

using sqlite::Connection;
using sqlite::Execution;

absl::Status sync_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  const absl::Status status = ::fsync(fd) == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, path);
  ::close(fd);
  return status;
}

absl::Status copy(const std::string& from, const std::string& to) {
  struct stat found {};
  if (::stat(from.c_str(), &found) != 0) return absl::NotFoundError(absl::StrCat("there is no store ", from));
  if (::lstat(to.c_str(), &found) == 0) return absl::AlreadyExistsError(absl::StrCat(to, " exists already"));
  if (absl::Status status = sqlite::check_folder(to); !status.ok()) return status;
  absl::StatusOr<Connection> reader = Connection::open(from, SQLITE_OPEN_READONLY, "");
  if (!reader.ok()) return reader.status();
  if (const absl::StatusOr<int> version = sqlite::version_of(*reader); !version.ok()) return version.status();
  const std::string aside = absl::StrCat(to, ".new");  // half a copy never has the name of a whole one
  ::unlink(aside.c_str());
  // Made beforehand, for its mode: SQLite fills a file that is empty.
  const int made = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made < 0) return absl::ErrnoToStatus(errno, aside);
  ::close(made);
  absl::Status status = Execution(reader->prepare("VACUUM INTO ?1")).bind_text(1, aside).run();
  if (status.ok()) status = sync_file(aside);
  if (status.ok() && ::rename(aside.c_str(), to.c_str()) != 0) status = absl::ErrnoToStatus(errno, to);
  if (status.ok()) return sqlite::sync_folder_of(to);
  ::unlink(aside.c_str());
  return status;
}

}  // namespace

absl::Status backup_sqlite(std::string_view from, const std::string& to) {
  return sqlite::within(absl::StrCat("copy sqlite ", absl_view(from), " to ", to), copy(std::string(from), to));
}

}  // namespace kleptometrics::aggregator
