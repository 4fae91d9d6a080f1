#include "aggregator/store/sqlite/status.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

absl::StatusCode kind_of(int code) {
  switch (code) {
    // A full disk, met while the shared-memory file grows. It may be told after the transaction reached the
    // log, which a crash would then bring back; nobody was told of it, and snapshots may be applied twice.
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_NOMEM:
      return absl::StatusCode::kUnavailable;
    case SQLITE_READONLY_DBMOVED:
      return absl::StatusCode::kInternal;
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kUnavailable;
    case SQLITE_NOTADB:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_CORRUPT:
    case SQLITE_IOERR:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

// SQLite quotes what it finds in the file, and a damaged one holds anything.
absl::Status status_of(int code, sqlite3* db, std::string_view context) {
  if (code == SQLITE_OK) return absl::OkStatus();
  const char* said = db != nullptr && sqlite3_extended_errcode(db) == code ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  return {kind_of(code), absl::StrCat(absl_view(context), context.empty() ? "" : ": ", in_one_line(said),
                                      code > 0xff ? absl::StrCat(" (SQLite error ", code, ")") : "")};
}

absl::Status within(std::string_view context, const absl::Status& status) {
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(absl_view(context), ": ", status.message())};
}

}  // namespace kleptometrics::aggregator::sqlite
