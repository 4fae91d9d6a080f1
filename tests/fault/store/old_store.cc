#include "tests/fault/store/old_store.h"

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

#include "aggregator/wire/wire.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
namespace wire = aggregator::wire;

constexpr const char* kTables = R"sql(
PRAGMA journal_mode=WAL;
BEGIN IMMEDIATE;
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
PRAGMA application_id=1263289680;
PRAGMA user_version=1;
COMMIT;
)sql";

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Statement prepare(const Database& db, const char* sql) {
  sqlite3_stmt* made = nullptr;
  sqlite3_prepare_v2(db.get(), sql, -1, &made, nullptr);
  return Statement(made);
}

void put(const Statement& to, int at, std::string_view bytes) {
  const char* const address = bytes.empty() ? "" : bytes.data();
  sqlite3_bind_blob(to.get(), at, address, static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
}

bool step(const Statement& statement) {
  const bool done = sqlite3_step(statement.get()) == SQLITE_DONE;
  sqlite3_reset(statement.get());
  return done;
}

bool insert_job(const Statement& into, std::int64_t key, const std::string& name) {
  sqlite3_bind_int64(into.get(), 1, key);
  sqlite3_bind_text(into.get(), 2, name.data(), static_cast<int>(name.size()), SQLITE_TRANSIENT);
  return step(into);
}

bool insert_run(const Statement& into, std::int64_t job, const Run& run) {
  const auto* const id = reinterpret_cast<const char*>(run.id.bytes.data());
  const std::int64_t numbers[] = {job,
                                  run.started_at,
                                  static_cast<std::int64_t>(run.state),
                                  rank(run),
                                  static_cast<std::int64_t>(run.revision),
                                  static_cast<std::int64_t>(run.annotations.revision)};
  put(into, 1, {id, run.id.bytes.size()});
  for (int i = 0; i < 6; ++i) sqlite3_bind_int64(into.get(), 2 + i, numbers[i]);
  put(into, 8, wire::encode_annotations(run.annotations));
  put(into, 9, wire::encode_snapshot(run));
  return step(into);
}

}  // namespace

bool write_old_store(const std::string& path, const std::string& vfs, const std::vector<Run>& runs) {
  sqlite3* made = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &made, flags, vfs.empty() ? nullptr : vfs.c_str());
  const Database db(made);
  if (code != SQLITE_OK || sqlite3_exec(db.get(), kTables, nullptr, nullptr, nullptr) != SQLITE_OK) return false;
  const Statement into_jobs = prepare(db, "INSERT INTO jobs VALUES(?1, ?2)");
  const Statement into_runs = prepare(db, "INSERT INTO runs VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  std::map<std::string, std::int64_t> jobs;
  if (sqlite3_exec(db.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) return false;
  for (const Run& run : runs) {
    const auto [job, is_new] = jobs.emplace(run.job, static_cast<std::int64_t>(jobs.size()) + 1);
    if (is_new && !insert_job(into_jobs, job->second, run.job)) return false;
    if (!insert_run(into_runs, job->second, run)) return false;
  }
  return sqlite3_exec(db.get(), "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
}

}  // namespace kleptometrics::fault
