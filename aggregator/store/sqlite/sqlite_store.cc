#include "aggregator/store/sqlite/sqlite_store.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/store/sqlite/schema.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"

namespace kleptometrics::aggregator {
namespace {

using sqlite::Connection;
using sqlite::within;

constexpr int kLogBytesKept = 64 << 20;  // a log that a long read let grow is cut back to this
constexpr int kWriterCacheKiB = 16 << 10;
constexpr int kReaderCacheKiB = 1 << 10;

// The writer, with the file brought to this build's schema. A file that is not ours is not touched.
absl::StatusOr<Connection> open_writer(const std::string& path, const SqliteOptions& options) {
  absl::StatusOr<Connection> writer = Connection::open(path, SQLITE_OPEN_READWRITE, options.vfs);
  if (!writer.ok()) return writer;
  const absl::StatusOr<int> version = sqlite::version_of(*writer);
  if (!version.ok()) return version.status();
  const absl::StatusOr<std::string> mode = writer->value("PRAGMA journal_mode=WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") return absl::FailedPreconditionError("its file system cannot keep a write-ahead log");
  const std::string settings =
      absl::StrCat("PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-", kWriterCacheKiB,
                   "; PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=", kLogBytesKept);
  if (absl::Status status = writer->exec(settings.c_str()); !status.ok()) return status;
  if (absl::Status status = sqlite::upgrade(*writer, *version); !status.ok()) return status;
  if (options.pages_max == 0) return writer;
  const std::string bound = absl::StrCat("PRAGMA max_page_count=", options.pages_max);
  if (absl::Status status = writer->exec(bound.c_str()); !status.ok()) return status;
  return writer;
}

absl::StatusOr<Connection> open_reader(const std::string& path, const SqliteOptions& options) {
  absl::StatusOr<Connection> reader = Connection::open(path, SQLITE_OPEN_READONLY, options.vfs);
  if (!reader.ok()) return reader;
  const std::string settings = absl::StrCat("PRAGMA temp_store=MEMORY; PRAGMA cache_size=-", kReaderCacheKiB,
                                            "; SELECT count(*) FROM sqlite_schema");
  // The first read opens the log: afterwards no descriptor is needed any more.
  absl::Status status = reader->exec(settings.c_str());
  if (!status.ok()) return status;
  return reader;
}

absl::StatusOr<std::unique_ptr<Store>> open(const std::string& path, const SqliteOptions& options) {
  if (path.empty()) return absl::InvalidArgumentError("the path is empty");
  if (path.find('\0') != std::string::npos) return absl::InvalidArgumentError("the path has a NUL byte");
  if (absl::Status status = sqlite::check_folder(path); !status.ok()) return status;
  struct stat found {};
  if (options.must_exist && ::stat(path.c_str(), &found) != 0) return absl::NotFoundError("there is no such file");
  absl::StatusOr<sqlite::FileLock> lock = sqlite::FileLock::take(path);
  if (!lock.ok()) return lock.status();
  if (absl::Status status = sqlite::make_file(path); !status.ok()) return status;
  absl::StatusOr<Connection> writer = open_writer(path, options);
  if (!writer.ok()) return writer.status();
  absl::StatusOr<Connection> settling = open_reader(path, options);
  if (!settling.ok()) return settling.status();
  std::vector<Connection> readers;
  for (int i = 0; i < options.readers; ++i) {
    absl::StatusOr<Connection> reader = open_reader(path, options);
    if (!reader.ok()) return reader.status();
    readers.push_back(*std::move(reader));
  }
  auto store = std::make_unique<sqlite::SqliteStore>(path, *std::move(lock), *std::move(writer), *std::move(settling),
                                                     std::move(readers), options);
  if (absl::Status status = store->start(); !status.ok()) return status;
  return store;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_sqlite(std::string_view path, const SqliteOptions& options) {
  absl::StatusOr<std::unique_ptr<Store>> store = open(std::string(path), options);
  if (!store.ok()) return within(absl::StrCat("open sqlite ", absl_view(path)), store.status());
  return store;
}

}  // namespace kleptometrics::aggregator
