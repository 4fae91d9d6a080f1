#include "aggregator/store/sqlite/schema.h"

#include <array>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr int kApplicationId = 0x4b4c4550;  // "KLEP"

// Numbers of states are those of model/run.h. The partial indexes hold the few runs that are asked for most:
// what went wrong, and what is running. A query must repeat their conditions literally (select.cc).
constexpr const char* kVersion1 = R"sql(
CREATE TABLE jobs(
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE runs(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,       -- 16 bytes
  job INTEGER NOT NULL,          -- jobs.key
  started_at INTEGER NOT NULL,   -- nanoseconds
  state INTEGER NOT NULL,
  rank INTEGER NOT NULL,         -- of the merge order
  revision INTEGER NOT NULL,     -- unsigned, its bits kept
  annotated INTEGER NOT NULL,    -- revision of the annotations, likewise; 0: none
  annotations BLOB NOT NULL,     -- canonical, mostly empty; before what may be long, to be read without it
  bytes BLOB NOT NULL            -- the snapshot, canonical: with the annotations the truth
) STRICT;
CREATE INDEX runs_by_job ON runs(job, started_at, id);
CREATE INDEX runs_by_start ON runs(started_at, id);
CREATE INDEX runs_bad_by_job ON runs(job, started_at, id) WHERE state IN (3, 5);
CREATE INDEX runs_bad_by_start ON runs(started_at, id) WHERE state IN (3, 5);
CREATE INDEX runs_open_by_start ON runs(started_at, id) WHERE state = 1;
)sql";

// Step i makes version i + 1 out of version i.
constexpr std::array<const char*, kSchemaVersion> kUpgrades = {kVersion1};

absl::StatusOr<int> number(Connection& connection, const char* sql) {
  const absl::StatusOr<std::string> text = connection.value(sql);
  if (!text.ok()) return text.status();
  int value = 0;
  if (!absl::SimpleAtoi(*text, &value)) return absl::InternalError(absl::StrCat(sql, " answered ", *text));
  return value;
}

}  // namespace

absl::StatusOr<int> version_of(Connection& connection) {
  const absl::StatusOr<int> application = number(connection, "PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int> tables = number(connection, "SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const absl::StatusOr<int> version = number(connection, "PRAGMA user_version");
  if (!version.ok()) return version.status();
  const bool empty = *application == 0 && *tables == 0 && *version == 0;
  if (!empty && (*application != kApplicationId || *version < 1)) {
    return absl::FailedPreconditionError("it is a database of another program");
  }
  if (*version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("schema version ", *version, " is newer than this build's ", kSchemaVersion));
  }
  return *version;
}

absl::Status upgrade(Connection& writer, int version) {
  for (; version < kSchemaVersion; ++version) {
    const std::string step =
        absl::StrCat("BEGIN IMMEDIATE;", kUpgrades[static_cast<std::size_t>(version)],
                     "PRAGMA application_id=", kApplicationId, ";PRAGMA user_version=", version + 1, ";COMMIT;");
    if (absl::Status status = writer.exec(step.c_str()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::sqlite
