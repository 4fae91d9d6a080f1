// Runs kept in one SQLite file: the default of a sidecar. README.md beside describes how. WAL with synchronous=FULL: a
// commit is durable when it returns. One writer connection, a few readers; the files PATH, PATH-wal, PATH-shm and
// PATH-lock belong to this process while the store lives, and are readable by their owner alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// Seams for tests, and a bound.
struct SqliteOptions {
  std::int64_t pages_max = 0;        // of 4 KiB; beyond, commits are Unavailable as on a full disk. 0: no bound
  std::string vfs{};                 // a registered VFS of SQLite's, empty: the system's
  std::size_t settle_runs = 30'720;  // committed ones kept in memory and in the log before they are put in order
  int readers = 4;                   // connections for reading, all opened at the start: later no descriptor is needed
  int checkpoint_pages = 24'000;     // of 4 KiB: so long a log (96 MiB) is copied into the database
  bool must_exist = false;           // else it is made
};

// Opens the file, or makes it. Errors name the path: see open_store().
absl::StatusOr<std::unique_ptr<Store>> open_sqlite(std::string_view path, const SqliteOptions& options = {});

// See backup_store().
absl::Status backup_sqlite(std::string_view from, const std::string& to);

}  // namespace kleptometrics::aggregator
