// Which back ends keep a file that can be copied.
#include "absl/strings/str_cat.h"
#include "aggregator/model/utf8.h"
#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

absl::Status backup_store(std::string_view url, const std::string& path) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite)) return backup_sqlite(url.substr(kSqlite.size()), path);
  if (url.starts_with("postgresql://") || url.starts_with("postgres://"))
    return absl::InvalidArgumentError("a store in PostgreSQL is copied by pg_dump, or by what backs up the server");
  if (url.starts_with("redis"))
    return absl::InvalidArgumentError(
        "a store in Redis is copied by Redis: `redis-cli BGSAVE` writes its file dump.rdb");
  return absl::InvalidArgumentError(
      absl::StrCat("there is nothing to copy of the store ", quoted(url), ": it keeps no file"));
}

}  // namespace kleptometrics::aggregator
