#include "aggregator/store/sqlite/sqlite_store.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/base/log.h"
#include "aggregator/store/apply.h"
#include "aggregator/store/heads.h"
#include "aggregator/store/sqlite/connection.h"
#include "aggregator/store/sqlite/damaged_rows.h"
#include "aggregator/store/sqlite/file.h"
#include "aggregator/store/sqlite/health.h"
#include "aggregator/store/sqlite/reader_pool.h"
#include "aggregator/store/sqlite/schema.h"
#include "aggregator/store/sqlite/select.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {
namespace {

using sqlite::Connection;
using sqlite::Execution;
using sqlite::ReaderPool;
using sqlite::within;

// A run with its canonical bytes.
struct Snapshot {
  Run run;
  std::string bytes = wire::encode_snapshot(run);
  std::string annotation_bytes = wire::encode_annotations(run.annotations);
};

constexpr int kCheckpointPages = 4000;   // 16 MiB of log between two checkpoints
constexpr int kLogBytesKept = 64 << 20;  // a log that a long read let grow is cut back to this
constexpr int kWriterCacheKiB = 32 << 10;

constexpr char kRunById[] = "SELECT bytes, annotations, id, started_at FROM runs WHERE id = ?1";

// The run of a row whose columns are its bytes, its annotations, its id and its start. DataLoss if they are damaged.
absl::StatusOr<Run> run_of(const Execution& row) {
  absl::StatusOr<Run> run = wire::decode_run(row.blob(0));
  if (!run.ok()) return run;
  if (run->id.view() != row.blob(2) || run->started_at != row.integer(3))
    return absl::DataLossError("the row of a run holds another run");
  if (row.blob(1).empty()) return run;
  absl::StatusOr<Annotations> annotations = wire::decode_annotations(row.blob(1));
  if (!annotations.ok()) return annotations.status();
  run->annotations = *std::move(annotations);
  return run;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, sqlite::FileLock lock, Connection writer, std::vector<Connection> readers)
      : path_(std::move(path)), lock_(std::move(lock)), writer_(std::move(writer)), readers_(std::move(readers)) {
    // In place of SQLite's own checkpoints.
    sqlite3_wal_hook(
        writer_.raw(),
        [](void* pages, sqlite3*, const char*, int count) {
          *static_cast<int*>(pages) = count;
          return SQLITE_OK;
        },
        &log_pages_);
  }

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now) override;
  absl::Status put_job(const std::string&, const JobSpec&) override { return absl::UnimplementedError("put_job"); }
  absl::StatusOr<Maintenance> maintain(Nanos, bool) override { return Maintenance{}; }
  absl::Status summarize(const SummaryRequest& request, Pieces& pieces) override;
  absl::StatusOr<Nanos> complete_since(const std::string&) override { return std::numeric_limits<Nanos>::min(); }
  absl::StatusOr<std::vector<std::string>> verify(std::size_t) override { return std::vector<std::string>(); }
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override;
  absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) override;
  absl::StatusOr<std::vector<JobHead>> jobs(const std::string& name) override;
  absl::Status ready() override;

 private:
  using Keys = std::map<std::string, std::int64_t, std::less<>>;

  // The parts of commit(), inside a transaction.
  absl::Status apply_all(const std::vector<Run>& runs, std::vector<Applied>& applied) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Applied> apply(const Snapshot& snapshot) KLEPTO_REQUIRES(writing_);
  absl::Status insert(const Snapshot& snapshot) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Judgement> judge_stored(const Snapshot& snapshot, std::int64_t& key) KLEPTO_REQUIRES(writing_);
  absl::Status update_snapshot(std::int64_t key, const Snapshot& snapshot) KLEPTO_REQUIRES(writing_);
  absl::Status update_annotations(std::int64_t key, const Snapshot& snapshot) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<std::int64_t> key_of_job(const std::string& name) KLEPTO_REQUIRES(writing_);

  // Runs `body` in a transaction, keeps what came of it for ready(), and ends the store on what must not be
  // tried again.
  absl::Status write(absl::FunctionRef<absl::Status()> body) KLEPTO_REQUIRES(writing_);
  absl::Status roll_back(absl::Status cause) KLEPTO_REQUIRES(writing_);
  void give_up(const absl::Status& cause) KLEPTO_REQUIRES(writing_);
  void checkpoint() KLEPTO_REQUIRES(writing_);
  absl::Status probe();

  using Visit = absl::FunctionRef<bool(Run&&)>;
  // Calls `visit` with the runs of the filter in order until it returns false. Damage costs the runs it hits and no
  // other, as far as the file can be read at all.
  absl::Status walk(const RunFilter& filter, const std::optional<RunCursor>& after, Visit visit);
  absl::Status walk_rows(Connection& reader, const RunFilter& filter, std::optional<RunCursor>& last, Visit visit,
                         bool& corrupt);
  absl::Status walk_piecemeal(Connection& reader, const RunFilter& filter, const std::optional<RunCursor>& after,
                              Visit visit);
  void leave_out(std::string_view id, const absl::Status& why);
  std::string doing(std::string_view what) const { return absl::StrCat(absl_view(what), " sqlite ", path_); }

  const std::string path_;
  const sqlite::FileLock lock_;  // let go last
  Mutex writing_;
  Connection writer_ KLEPTO_GUARDED_BY(writing_);
  Keys job_keys_ KLEPTO_GUARDED_BY(writing_);      // of committed jobs, and of those of the open transaction
  int log_pages_ KLEPTO_GUARDED_BY(writing_) = 0;  // length of the log after the last commit
  sqlite::Health health_;
  sqlite::DamagedRows damaged_rows_;
  ReaderPool readers_;
};

// A store that has failed for good says so; one whose last commit found no room tries a small write of its own. That
// may fit where a run does not, so there must be room for the largest run, too.
absl::Status SqliteStore::ready() {
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  if (!health_.last().ok()) {
    if (absl::Status status = probe(); !status.ok()) return status;
  }
  ReaderPool::Lease reader = readers_.borrow();
  return within(doing("read"), reader->value("SELECT count(*) FROM (SELECT 1 FROM runs LIMIT 1)").status());
}

absl::Status SqliteStore::probe() {
  if (absl::Status status = sqlite::check_room(path_, limits::run_bytes_max); !status.ok())
    return within(doing("write to"), status);
  const std::string touch = absl::StrCat("PRAGMA user_version=", sqlite::kSchemaVersion);
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  return within(doing("write to"), write([&]() KLEPTO_REQUIRES(writing_) { return writer_.exec(touch.c_str()); }));
}

absl::StatusOr<std::vector<Applied>> SqliteStore::commit(std::vector<Run> snapshots, Nanos) {
  std::vector<Applied> applied;
  if (snapshots.empty()) return applied;
  applied.reserve(snapshots.size());
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const absl::Status status =
      within(doing("commit to"), write([&]() KLEPTO_REQUIRES(writing_) { return apply_all(snapshots, applied); }));
  if (!status.ok()) return status;
  checkpoint();
  return applied;
}

absl::Status SqliteStore::write(absl::FunctionRef<absl::Status()> body) {
  absl::Status status = writer_.exec("BEGIN IMMEDIATE");
  if (status.ok()) status = body();
  if (status.ok()) status = writer_.exec("COMMIT");
  if (!status.ok()) status = roll_back(std::move(status));
  health_.note(status);
  return status;
}

absl::Status SqliteStore::roll_back(absl::Status cause) {
  job_keys_.clear();  // some may be of jobs that are gone now
  if (sqlite3_get_autocommit(writer_.raw()) == 0) {
    const absl::Status undone = writer_.exec("ROLLBACK");
    if (!undone.ok() && sqlite3_get_autocommit(writer_.raw()) == 0) {
      cause = absl::InternalError(absl::StrCat("roll back: ", undone.message()));
    }
  }
  if (absl::IsUnavailable(cause)) return cause;
  if (!absl::IsInternal(cause)) cause = absl::DataLossError(cause.message());
  give_up(within(doing("an earlier commit to"), cause));
  return cause;
}

// Nothing is written any more, not even as the file is closed: the next start recovers from what the disk has.
void SqliteStore::give_up(const absl::Status& cause) {
  health_.end(cause);
  sqlite3_db_config(writer_.raw(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

// Copies the log into the database once it is long. Done here and not by SQLite's own hook, which would hide
// a failed fsync and try again. The commit before it is durable either way.
void SqliteStore::checkpoint() {
  if (log_pages_ < kCheckpointPages) return;
  const int code = sqlite3_wal_checkpoint_v2(writer_.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  const absl::Status status = sqlite::status_of(code, writer_.raw(), doing("copy the log of an earlier commit into"));
  if (!status.ok() && !absl::IsUnavailable(status)) give_up(status);
}

absl::Status SqliteStore::apply_all(const std::vector<Run>& runs, std::vector<Applied>& applied) {
  for (const Run& run : runs) {
    const absl::StatusOr<Applied> one = apply(Snapshot{run});
    if (!one.ok()) return one.status();
    applied.push_back(*one);
  }
  return absl::OkStatus();
}

absl::StatusOr<Applied> SqliteStore::apply(const Snapshot& snapshot) {
  std::int64_t key = 0;
  const absl::StatusOr<Judgement> judgement = judge_stored(snapshot, key);
  if (!judgement.ok()) return judgement.status();
  absl::Status status;
  if (key == 0) {
    status = insert(snapshot);
  } else {
    if (judgement->snapshot) status = update_snapshot(key, snapshot);
    if (judgement->annotations && status.ok()) status = update_annotations(key, snapshot);
  }
  if (!status.ok()) return status;
  return judgement->applied;
}

// What the snapshot does to the run of its id, and the key of that; 0 if there is none.
absl::StatusOr<Judgement> SqliteStore::judge_stored(const Snapshot& snapshot, std::int64_t& key) {
  const auto statement = writer_.prepare(
      "SELECT runs.key, jobs.name = ?2, started_at, rank, revision, bytes, annotated, annotations"
      " FROM runs JOIN jobs ON jobs.key = runs.job WHERE id = ?1");
  if (!statement.ok()) return statement.status();
  Execution stored(*statement);
  stored.bind_blob(1, snapshot.run.id.view()).bind_text(2, snapshot.run.job);
  if (!stored.next()) {
    if (!stored.status().ok()) return stored.status();
    return Judgement{Applied::kAccepted, true, true};
  }
  key = stored.integer(0);
  absl::StatusOr<Run> run = wire::decode_run(stored.blob(5));
  if (!run.ok()) return run.status();
  absl::StatusOr<Annotations> annotations = wire::decode_annotations(stored.blob(7));
  if (!annotations.ok()) return annotations.status();
  run->annotations = *std::move(annotations);
  if (stored.integer(1) == 0) return Judgement{Applied::kOtherJob};
  return judge(snapshot.run, *run);
}

absl::Status SqliteStore::insert(const Snapshot& snapshot) {
  const Run& run = snapshot.run;
  const absl::StatusOr<std::int64_t> job = key_of_job(run.job);
  if (!job.ok()) return job.status();
  const auto statement = writer_.prepare(
      "INSERT INTO runs(id, job, started_at, state, rank, revision, bytes, annotated, annotations)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  if (!statement.ok()) return statement.status();
  Execution insert(*statement);
  insert.bind_blob(1, run.id.view()).bind(2, *job).bind(3, run.started_at);
  insert.bind(4, static_cast<int>(run.state)).bind(5, rank(run));
  insert.bind(6, static_cast<std::int64_t>(run.revision)).bind_blob(7, snapshot.bytes);
  insert.bind(8, static_cast<std::int64_t>(run.annotations.revision)).bind_blob(9, snapshot.annotation_bytes);
  return insert.run();
}

absl::Status SqliteStore::update_snapshot(std::int64_t key, const Snapshot& snapshot) {
  const Run& run = snapshot.run;
  const auto statement =
      writer_.prepare("UPDATE runs SET state = ?2, rank = ?3, revision = ?4, bytes = ?5 WHERE key = ?1");
  if (!statement.ok()) return statement.status();
  Execution update(*statement);
  update.bind(1, key).bind(2, static_cast<int>(run.state)).bind(3, rank(run));
  update.bind(4, static_cast<std::int64_t>(run.revision)).bind_blob(5, snapshot.bytes);
  return update.run();
}

absl::Status SqliteStore::update_annotations(std::int64_t key, const Snapshot& snapshot) {
  const auto statement = writer_.prepare("UPDATE runs SET annotated = ?2, annotations = ?3 WHERE key = ?1");
  if (!statement.ok()) return statement.status();
  Execution update(*statement);
  update.bind(1, key).bind(2, static_cast<std::int64_t>(snapshot.run.annotations.revision));
  update.bind_blob(3, snapshot.annotation_bytes);
  return update.run();
}

absl::StatusOr<std::int64_t> SqliteStore::key_of_job(const std::string& name) {
  if (const auto known = job_keys_.find(name); known != job_keys_.end()) return known->second;
  const auto find = writer_.prepare("SELECT key FROM jobs WHERE name = ?1");
  if (!find.ok()) return find.status();
  Execution found(*find);
  if (found.bind_text(1, name).next()) return job_keys_[name] = found.integer(0);
  if (!found.status().ok()) return found.status();
  const auto add = writer_.prepare("INSERT INTO jobs(name) VALUES(?1)");
  if (!add.ok()) return add.status();
  if (absl::Status status = Execution(*add).bind_text(1, name).run(); !status.ok()) return status;
  return job_keys_[name] = sqlite3_last_insert_rowid(writer_.raw());
}

absl::StatusOr<std::optional<Run>> SqliteStore::run(const Uuid& id) {
  ReaderPool::Lease reader = readers_.borrow();
  const auto statement = reader->prepare(kRunById);
  if (!statement.ok()) return within(doing("read"), statement.status());
  Execution query(*statement);
  if (!query.bind_blob(1, id.view()).next()) {
    if (query.corrupt()) return within(doing("read"), absl::UnknownError(query.status().message()));
    if (!query.status().ok()) return within(doing("read"), query.status());
    return std::optional<Run>();
  }
  absl::StatusOr<Run> run = run_of(query);
  if (!run.ok()) return within(doing("read"), absl::UnknownError(run.status().message()));
  return std::optional<Run>(*std::move(run));
}

void SqliteStore::leave_out(std::string_view id, const absl::Status& why) {
  if (!damaged_rows_.first_sight(id)) return;
  const auto known = Uuid::from_bytes(id);
  log_error(absl::StrCat("the run ", known ? known->text() : "of an id that is damaged, too,",
                         " is left out of answers: ", within(doing("read"), why).message()));
}

absl::Status SqliteStore::walk(const RunFilter& filter, const std::optional<RunCursor>& after, Visit visit) {
  ReaderPool::Lease reader = readers_.borrow();
  std::optional<RunCursor> last = after;
  bool corrupt = false;
  absl::Status status = walk_rows(*reader, filter, last, visit, corrupt);
  if (corrupt) status = walk_piecemeal(*reader, filter, last, visit);
  return within(doing("read"), status);
}

// The whole answer as one query. `last`: where it is to begin, and how far it came. `corrupt`: a damaged page ended it.
absl::Status SqliteStore::walk_rows(Connection& reader, const RunFilter& filter, std::optional<RunCursor>& last,
                                    Visit visit, bool& corrupt) {
  const auto statement = reader.prepare(sqlite::select_sql(filter));
  if (!statement.ok()) return statement.status();
  Execution query(*statement);
  const std::optional<RunCursor> after = last;
  sqlite::bind_select(query, filter, after);
  while (query.next()) {
    absl::StatusOr<Run> run = run_of(query);
    if (!run.ok()) {
      leave_out(query.blob(2), run.status());
      continue;
    }
    last = RunCursor{run->started_at, run->id};
    if (matches(filter, *run) && !visit(*std::move(run))) break;
  }
  corrupt = query.corrupt();
  return query.status();
}

// What a damaged page leaves of the answer: the runs that the index names, each looked for by itself.
absl::Status SqliteStore::walk_piecemeal(Connection& reader, const RunFilter& filter,
                                         const std::optional<RunCursor>& after, Visit visit) {
  const auto names = reader.prepare(sqlite::kSelectIds);
  if (!names.ok()) return names.status();
  const auto by_id = reader.prepare(kRunById);
  if (!by_id.ok()) return by_id.status();
  Execution query(*names);
  sqlite::bind_range(query, filter, after);
  while (query.next()) {
    Execution one(*by_id);
    one.bind_blob(1, query.blob(0));
    const bool there = one.next();
    if (!there && !one.corrupt() && !one.status().ok()) return one.status();
    absl::StatusOr<Run> run = there ? run_of(one) : absl::DataLossError("the page that holds it is damaged");
    if (!run.ok()) {
      leave_out(query.blob(0), run.status());
    } else if (matches(filter, *run) && !visit(*std::move(run))) {
      break;
    }
  }
  return query.status();
}

absl::StatusOr<RunPage> SqliteStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                          std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  RunPage page;
  const absl::Status status = walk(filter, after, [&](Run&& run) {
    if (page.runs.size() == limit) {
      page.next = RunCursor{page.runs.back().started_at, page.runs.back().id};
      return false;
    }
    page.runs.push_back(std::move(run));
    return true;
  });
  if (!status.ok()) return status;
  return page;
}

absl::Status SqliteStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  return walk(filter, std::nullopt, [&](Run&& run) {
    visit(run);
    return true;
  });
}

absl::Status SqliteStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  for (const Stretch& stretch : request.stretches) {
    RunFilter filter;
    filter.job = request.job;
    filter.since = stretch.since;
    if (stretch.by != Stretch::By::kAll) filter.until = stretch.until;
    const absl::Status status = scan(filter, [&](const Run& run) {
      if (terminal(run.state)) pieces.run(run);
    });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JobHead>> SqliteStore::jobs(const std::string& only) {
  std::vector<JobHead> heads;
  {
    ReaderPool::Lease reader = readers_.borrow();
    const auto statement = reader->prepare("SELECT name FROM jobs ORDER BY name");
    if (!statement.ok()) return within(doing("read"), statement.status());
    Execution query(*statement);
    while (query.next()) {
      if (only.empty() || only == query.text(0)) heads.push_back({std::string(query.text(0)), {}});
    }
    if (!query.status().ok()) return within(doing("read"), query.status());
  }
  for (JobHead& head : heads) {
    const absl::Status status = scan({.job = head.name}, [&head](const Run& run) {
      if (!head.last_run) head.last_run = without_steps(run);
      if (!head.last_verdict && is_verdict(run.state)) head.last_verdict = run.state;
      head.running = head.running || !terminal(run.state);
    });
    if (!status.ok()) return status;
  }
  return heads;
}

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
  // The first read opens the log: afterwards no descriptor is needed any more.
  absl::Status status = reader->exec("PRAGMA temp_store=MEMORY; SELECT count(*) FROM sqlite_schema");
  if (!status.ok()) return status;
  return reader;
}

absl::StatusOr<std::unique_ptr<Store>> open(const std::string& path, const SqliteOptions& options) {
  if (path.empty()) return absl::InvalidArgumentError("the path is empty");
  if (path.find('\0') != std::string::npos) return absl::InvalidArgumentError("the path has a NUL byte");
  if (absl::Status status = sqlite::check_folder(path); !status.ok()) return status;
  absl::StatusOr<sqlite::FileLock> lock = sqlite::FileLock::take(path);
  if (!lock.ok()) return lock.status();
  if (absl::Status status = sqlite::make_file(path); !status.ok()) return status;
  absl::StatusOr<Connection> writer = open_writer(path, options);
  if (!writer.ok()) return writer.status();
  std::vector<Connection> readers;
  for (int i = 0; i < options.readers; ++i) {
    absl::StatusOr<Connection> reader = open_reader(path, options);
    if (!reader.ok()) return reader.status();
    readers.push_back(*std::move(reader));
  }
  return std::make_unique<SqliteStore>(path, *std::move(lock), *std::move(writer), std::move(readers));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> open_sqlite(std::string_view path, const SqliteOptions& options) {
  absl::StatusOr<std::unique_ptr<Store>> store = open(std::string(path), options);
  if (!store.ok()) return within(absl::StrCat("open sqlite ", absl_view(path)), store.status());
  return store;
}

}  // namespace kleptometrics::aggregator
