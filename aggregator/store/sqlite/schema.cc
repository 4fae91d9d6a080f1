#include "aggregator/store/sqlite/schema.h"

#include <array>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr int kApplicationId = 0x4b4c4550;  // "KLEP"

// Numbers of states are those of model/run.h. Version 1 kept a row a run; its `runs` are moved by migration.cc.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE jobs(
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE runs(
  key INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  job INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  state INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  annotated INTEGER NOT NULL,
  annotations BLOB NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
)sql";

constexpr const char* kVersion2 = R"sql(
ALTER TABLE jobs ADD COLUMN spec BLOB NOT NULL DEFAULT x'';         -- wire/job_spec.h
ALTER TABLE jobs ADD COLUMN complete_since INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE jobs ADD COLUMN last_run BLOB NOT NULL DEFAULT x'';     -- newest settled, without steps; wire::encode_run
ALTER TABLE jobs ADD COLUMN verdict INTEGER NOT NULL DEFAULT 0;     -- state of the newest that says how the job fares
ALTER TABLE jobs ADD COLUMN verdict_at INTEGER NOT NULL DEFAULT 0;  -- its start
ALTER TABLE jobs ADD COLUMN verdict_id BLOB NOT NULL DEFAULT x'';
CREATE TABLE log(
  key INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL            -- a chunk
) STRICT;
CREATE TABLE chunks(
  key INTEGER PRIMARY KEY,
  first_start INTEGER NOT NULL,
  last_start INTEGER NOT NULL,
  states INTEGER NOT NULL,       -- bit i: a run in state i is in it
  forget_at INTEGER,             -- when the ids of runs that are gone may be forgotten
  bytes BLOB NOT NULL
) STRICT;
CREATE INDEX chunks_by_start ON chunks(last_start);
CREATE INDEX chunks_to_forget ON chunks(forget_at) WHERE forget_at IS NOT NULL;
CREATE TABLE slices(             -- the runs of a job in a chunk
  job INTEGER NOT NULL,
  last_start INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  first_start INTEGER NOT NULL,
  states INTEGER NOT NULL,       -- as of chunks
  loose INTEGER NOT NULL,        -- how many are in no rollup of an hour
  PRIMARY KEY(job, last_start, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE ids(
  key INTEGER NOT NULL,          -- keys.h
  place INTEGER NOT NULL,        -- keys.h
  PRIMARY KEY(key, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE bad(                -- the few runs that failed, crashed or were canceled
  started_at INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY(started_at, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_runs(
  key INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  bytes BLOB NOT NULL            -- wire::encode_run
) STRICT;
CREATE INDEX open_by_job ON open_runs(job, started_at);
CREATE INDEX open_by_start ON open_runs(started_at);
CREATE TABLE series(
  key INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE      -- stats::text_of
) STRICT;
INSERT INTO series(key, name) VALUES(1, 'duration');
CREATE TABLE rollups(
  resolution INTEGER NOT NULL,   -- stats::Resolution
  series INTEGER NOT NULL,
  job INTEGER NOT NULL,
  start INTEGER NOT NULL,        -- in hours or days since 1970; 0 of all time
  bytes BLOB NOT NULL,           -- wire::encode_rollup
  PRIMARY KEY(resolution, series, job, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE expired(            -- of hours and days: the lowest and the highest of the runs that have expired
  resolution INTEGER NOT NULL,
  series INTEGER NOT NULL,
  job INTEGER NOT NULL,
  start INTEGER NOT NULL,
  bytes BLOB NOT NULL,           -- wire::encode_rollup
  PRIMARY KEY(resolution, series, job, start)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kVersion3 = R"sql(
CREATE TABLE findings(           -- delays and alerts
  what INTEGER NOT NULL,         -- finding_rows.h
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,         -- as in model/alert.h
  job INTEGER NOT NULL,
  run_id BLOB,                   -- NULL: of no run
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,             -- NULL: open
  closing INTEGER,               -- rises from one that closes to the next; NULL: open
  bytes BLOB NOT NULL,           -- wire/findings.h
  PRIMARY KEY(what, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_open ON findings(what, opened_at, id, job, kind) WHERE closing IS NULL;
CREATE INDEX findings_by_start ON findings(what, opened_at, id, job, kind, closing);
CREATE INDEX findings_by_job ON findings(what, job, opened_at, id, kind, closing);
CREATE INDEX findings_by_run ON findings(what, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX findings_by_closing ON findings(what, closing) WHERE closing IS NOT NULL;
CREATE INDEX findings_to_expire ON findings(closed_at) WHERE closed_at IS NOT NULL;
CREATE TABLE watch_states(       -- how far the rules have got with a job
  job INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL            -- theirs
) STRICT;
)sql";

constexpr const char* kVersion4 = R"sql(
CREATE TABLE changes(            -- what is to be passed on, where somebody does
  key INTEGER PRIMARY KEY AUTOINCREMENT,  -- a position: never used again
  items INTEGER NOT NULL,        -- runs in it; 1 of a specification
  ends INTEGER NOT NULL,         -- 1: the last row of its commit
  job TEXT,                      -- of a specification; NULL: these are runs
  bytes BLOB NOT NULL            -- a chunk, or wire/job_spec.h
) STRICT;
)sql";

// Step i makes version i + 1 out of version i.
constexpr std::array<const char*, kSchemaVersion> kUpgrades = {kVersion1, kVersion2, kVersion3, kVersion4};

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
