#include "aggregator/store/sqlite/sqlite_store.h"

#include <malloc.h>

#include <algorithm>
#include <map>
#include <set>
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
#include "aggregator/store/sqlite/migration.h"
#include "aggregator/store/sqlite/reader_pool.h"
#include "aggregator/store/sqlite/schema.h"
#include "aggregator/store/sqlite/settler.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/verify.h"
#include "aggregator/wire/rollups.h"
#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {
namespace {

using sqlite::Connection;
using sqlite::Execution;
using sqlite::ReaderPool;
using sqlite::Recent;
using sqlite::RecentPtr;
using sqlite::Settled;
using sqlite::Tail;
using sqlite::within;

constexpr int kCheckpointPages = 4000;   // 16 MiB of log between two checkpoints
constexpr int kLogBytesKept = 64 << 20;  // a log that a long read let grow is cut back to this
constexpr int kWriterCacheKiB = 16 << 10;
constexpr int kReaderCacheKiB = 1 << 10;

constexpr std::size_t kIdleRuns = 4096;   // so many are settled when nothing else is to be done
constexpr std::size_t kSliceChunks = 16;  // rewritten in one slice of housekeeping
constexpr Nanos kExpiryInterval = 60 * kNanosPerSecond;

// A reader that sees one state of the tables from its begin to its end, and what of them is not to be seen.
struct View {
  explicit View(ReaderPool& pool) : reader(pool.borrow()), settled(*reader) {}
  ~View() { (void)reader->run("COMMIT"); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  // Under the tail's lock: what is in the tail is then not in the tables, and the other way round.
  absl::Status begin(const Tail& tail) {
    hidden = tail.replaced();
    absl::Status status = reader->run("BEGIN");
    if (status.ok()) status = reader->run("SELECT 1 FROM sqlite_schema LIMIT 1");
    return status;
  }

  ReaderPool::Lease reader;
  Settled settled;
  sqlite::Hidden hidden;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, sqlite::FileLock lock, Connection writer, std::vector<Connection> readers,
              std::size_t settle_runs)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        writer_(std::move(writer)),
        settler_(writer_),
        settle_runs_(settle_runs),
        readers_(std::move(readers)) {
    // In place of SQLite's own checkpoints.
    sqlite3_wal_hook(
        writer_.raw(),
        [](void* pages, sqlite3*, const char*, int count) {
          *static_cast<int*>(pages) = count;
          return SQLITE_OK;
        },
        &log_pages_);
  }
  // Brings back what is not settled, and moves what an older build kept.
  absl::Status start();

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now) override;
  absl::Status put_job(const std::string& name, const JobSpec& spec) override;
  absl::StatusOr<Maintenance> maintain(Nanos now, bool idle) override;
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override;
  absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) override;
  absl::Status summarize(const SummaryRequest& request, Pieces& pieces) override;
  absl::StatusOr<std::vector<JobHead>> jobs(const std::string& name) override;
  absl::StatusOr<Nanos> complete_since(const std::string& job) override;
  absl::Status ready() override;
  absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) override;

 private:
  // What a commit is about to change.
  struct Staged {
    std::vector<Applied> applied;
    std::vector<RecentPtr> runs;                                     // as they will be
    absl::flat_hash_map<Uuid, std::size_t, sqlite::UuidHash> by_id;  // of those
    bool withdrawn = false;                                          // runs have left the tables, to be in the tail
  };
  absl::Status stage_all(std::vector<Run> runs, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Applied> stage(Run run, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  absl::StatusOr<Applied> stage_settled(Run run, Nanos now, Staged& staged) KLEPTO_REQUIRES(writing_);
  void put(Run run, Nanos now, std::int64_t open_key, Staged& staged) KLEPTO_REQUIRES(writing_);

  using Body = absl::FunctionRef<absl::Status()>;
  using Publish = absl::FunctionRef<void()>;
  // Runs `body` in a transaction and then `publish` under the tail's lock; `together`: no reader may see the one
  // without the other. Keeps what came of it for ready(), and ends the store on what must not be tried again.
  absl::Status write(Body body, Publish publish, bool together) KLEPTO_REQUIRES(writing_);
  absl::Status write(Body body) KLEPTO_REQUIRES(writing_);
  absl::Status end_transaction(absl::Status status) KLEPTO_REQUIRES(writing_);
  absl::Status roll_back(absl::Status cause) KLEPTO_REQUIRES(writing_);
  void give_up(const absl::Status& cause) KLEPTO_REQUIRES(writing_);
  void checkpoint() KLEPTO_REQUIRES(writing_);
  absl::Status probe();
  absl::Status settle() KLEPTO_REQUIRES(writing_);
  void settle_if_due() KLEPTO_REQUIRES(writing_);
  void let_go_of_memory() KLEPTO_REQUIRES(writing_);
  absl::Status read_specs() KLEPTO_REQUIRES(writing_);
  absl::StatusOr<bool> expire(Nanos now, Maintenance& done) KLEPTO_REQUIRES(writing_);

  absl::Status add_rollups(View& view, const SummaryRequest& request, const Stretch& stretch, Pieces& pieces);
  absl::StatusOr<std::optional<State>> last_verdict(View& view, const std::string& job, const Recent* recent);
  static absl::StatusOr<bool> is_open(View& view, std::int64_t job);
  void leave_out(std::string_view what, const absl::Status& why);
  std::string doing(std::string_view what) const { return absl::StrCat(absl_view(what), " sqlite ", path_); }

  const std::string path_;
  const sqlite::FileLock lock_;  // let go last
  Mutex writing_;
  Connection writer_ KLEPTO_GUARDED_BY(writing_);
  sqlite::Settler settler_ KLEPTO_GUARDED_BY(writing_);
  const std::size_t settle_runs_;
  std::size_t settle_at_ KLEPTO_GUARDED_BY(writing_) = settle_runs_;     // length of the tail
  std::int64_t ids_end_ KLEPTO_GUARDED_BY(writing_) = 0;                 // above all keys of settled ids
  std::map<std::string, JobSpec> retained_ KLEPTO_GUARDED_BY(writing_);  // jobs whose runs expire
  Nanos expired_at_ KLEPTO_GUARDED_BY(writing_) = 0;                     // when all of them were last looked at
  bool expiry_due_ KLEPTO_GUARDED_BY(writing_) = true;                   // something came in since
  bool grown_ KLEPTO_GUARDED_BY(writing_) = false;  // memory was taken since it was last given back
  int log_pages_ KLEPTO_GUARDED_BY(writing_) = 0;   // length of the log after the last commit

  // Changed under both locks, so that the committer reads it under writing_ alone.
  SharedMutex tail_mutex_;
  Tail tail_;

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
  return within(doing("read"), reader->value("SELECT count(*) FROM (SELECT 1 FROM chunks LIMIT 1)").status());
}

absl::Status SqliteStore::probe() {
  if (absl::Status status = sqlite::check_room(path_, limits::run_bytes_max); !status.ok())
    return within(doing("write to"), status);
  const std::string touch = absl::StrCat("PRAGMA user_version=", sqlite::kSchemaVersion);
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  return within(doing("write to"), write([&]() KLEPTO_REQUIRES(writing_) { return writer_.exec(touch.c_str()); }));
}

absl::StatusOr<std::vector<Applied>> SqliteStore::commit(std::vector<Run> runs, Nanos now) {
  Staged staged;
  if (runs.empty()) return staged.applied;
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  absl::Status status = writer_.exec("BEGIN IMMEDIATE");
  if (status.ok()) status = stage_all(std::move(runs), now, staged);
  if (status.ok()) status = settler_.append(staged.runs);
  const auto publish = [&]() KLEPTO_REQUIRES(writing_) {
    for (RecentPtr& each : staged.runs) tail_.put(std::move(each));
  };
  if (staged.withdrawn) {
    const ExclusiveLock exclusive(tail_mutex_);
    status = end_transaction(std::move(status));
    if (status.ok()) publish();
  } else {
    status = end_transaction(std::move(status));
    const ExclusiveLock exclusive(tail_mutex_);
    if (status.ok()) publish();
  }
  if (!status.ok()) return within(doing("commit to"), status);
  settle_if_due();
  checkpoint();
  return std::move(staged.applied);
}

absl::Status SqliteStore::stage_all(std::vector<Run> runs, Nanos now, Staged& staged) {
  staged.applied.reserve(runs.size());
  for (Run& run : runs) {
    const absl::StatusOr<Applied> one = stage(std::move(run), now, staged);
    if (!one.ok()) return one.status();
    staged.applied.push_back(*one);
  }
  return absl::OkStatus();
}

// Against what this commit made of the run, else what is in the tail, else in the tables.
absl::StatusOr<Applied> SqliteStore::stage(Run run, Nanos now, Staged& staged) {
  const Recent* known = nullptr;
  if (const auto found = staged.by_id.find(run.id); found != staged.by_id.end()) {
    known = staged.runs[found->second].get();
  } else {
    known = tail_.find(run.id);
  }
  if (known == nullptr) return stage_settled(std::move(run), now, staged);
  const Judgement judgement = judge(run, known->run);
  if (judgement.applied != Applied::kAccepted) return judgement.applied;
  put(merged(std::move(run), known->run, judgement), now, known->open_key, staged);
  return Applied::kAccepted;
}

absl::StatusOr<Applied> SqliteStore::stage_settled(Run run, Nanos now, Staged& staged) {
  if (sqlite::key_of(run.id) >= ids_end_) {
    put(std::move(run), now, 0, staged);
    return Applied::kAccepted;
  }
  const auto found = settler_.settled().find(run.id);
  if (absl::IsUnknown(
          found.status())) {  // it is there, but what it says is lost: to take it again would count it twice
    leave_out(run.id.text(), found.status());
    return Applied::kDuplicate;
  }
  if (!found.ok()) return found.status();
  if (!*found) {
    put(std::move(run), now, 0, staged);
    return Applied::kAccepted;
  }
  const Settled::Found& stored = **found;
  if (stored.gone) return Applied::kDuplicate;
  const Judgement judgement = judge(run, stored.run);
  if (judgement.applied != Applied::kAccepted) return judgement.applied;
  if (!stored.place.is_open()) {
    if (absl::Status status = settler_.withdraw(stored); !status.ok()) return status;
    staged.withdrawn = true;
  }
  put(merged(std::move(run), stored.run, judgement), now, stored.place.is_open() ? stored.place.open_key() : 0, staged);
  return Applied::kAccepted;
}

void SqliteStore::put(Run run, Nanos now, std::int64_t open_key, Staged& staged) {
  auto recent = std::make_shared<const Recent>(Recent{std::move(run), now, open_key});
  const auto [known, added] = staged.by_id.try_emplace(recent->run.id, staged.runs.size());
  if (added) {
    staged.runs.push_back(std::move(recent));
  } else {
    staged.runs[known->second] = std::move(recent);
  }
}

absl::Status SqliteStore::write(Body body, Publish publish, bool together) {
  absl::Status status = writer_.exec("BEGIN IMMEDIATE");
  if (status.ok()) status = body();
  if (!together) {
    status = end_transaction(std::move(status));
    const ExclusiveLock exclusive(tail_mutex_);
    if (status.ok()) publish();
    return status;
  }
  const ExclusiveLock exclusive(tail_mutex_);
  status = end_transaction(std::move(status));
  if (status.ok()) publish();
  return status;
}

absl::Status SqliteStore::write(Body body) {
  absl::Status status = writer_.exec("BEGIN IMMEDIATE");
  if (status.ok()) status = body();
  return end_transaction(std::move(status));
}

absl::Status SqliteStore::end_transaction(absl::Status status) {
  if (status.ok()) status = writer_.exec("COMMIT");
  if (!status.ok()) status = roll_back(std::move(status));
  health_.note(status);
  return status;
}

absl::Status SqliteStore::roll_back(absl::Status cause) {
  settler_.reset();  // some jobs may be gone now
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

absl::Status SqliteStore::settle() {
  std::int64_t end = ids_end_;
  for (const auto& [id, recent] : tail_.all()) end = std::max(end, sqlite::key_of(id) + 1);
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) { return settler_.settle(tail_); },
                                    [&]() KLEPTO_REQUIRES(writing_) { tail_.clear(); }, true);
  if (!status.ok()) return status;
  ids_end_ = end;
  settle_at_ = settle_runs_;
  expiry_due_ = true;
  grown_ = true;
  return status;
}

// What was committed stays committed where this fails: it is tried again when the tail has grown on.
void SqliteStore::settle_if_due() {
  if (tail_.size() < settle_at_) return;
  const absl::Status status = settle();
  if (status.ok()) return;
  settle_at_ = tail_.size() + settle_runs_ / 4;
  log_error(within(doing("settle the last commits of"), status).ToString());
}

absl::Status SqliteStore::put_job(const std::string& name, const JobSpec& spec) {
  const std::string bytes = wire::encode_job_spec(spec);
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::StatusOr<std::int64_t> key = settler_.key_of_job(name);
    if (!key.ok()) return key.status();
    return writer_.run("UPDATE jobs SET spec = ?2 WHERE key = ?1", *key, std::string_view(bytes));
  });
  if (!status.ok()) return within(doing("commit to"), status);
  if (spec.retention_days == 0) {
    retained_.erase(name);
  } else {
    retained_[name] = spec;
  }
  expiry_due_ = true;
  return absl::OkStatus();
}

absl::StatusOr<Maintenance> SqliteStore::maintain(Nanos now, bool idle) {
  Maintenance done;
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const bool aged = tail_.size() != 0 && !retained_.empty() && now - tail_.committed_at() >= stats::kDay;
  if (aged || (idle && tail_.size() >= kIdleRuns)) {
    if (absl::Status status = settle(); !status.ok()) return within(doing("settle the last commits of"), status);
  }
  if (idle && grown_) let_go_of_memory();
  const bool again = expiry_due_ || now < expired_at_ || now - expired_at_ >= kExpiryInterval;
  if (again) {
    const absl::StatusOr<bool> more = expire(now, done);
    if (!more.ok()) return within(doing("expire runs of"), more.status());
    done.more = *more;
    if (!*more) {
      expired_at_ = now;
      expiry_due_ = false;
    }
  }
  checkpoint();
  return done;
}

// What a load has filled and nobody needs any more.
void SqliteStore::let_go_of_memory() {
  sqlite3_db_release_memory(writer_.raw());
  ::malloc_trim(0);
  grown_ = false;
}

// One slice.
absl::StatusOr<bool> SqliteStore::expire(Nanos now, Maintenance& done) {
  for (const auto& [job, spec] : retained_) {
    bool more = false;
    const std::uint64_t before = done.expired;
    const absl::Status status = write([&, &name = job, &its = spec]() KLEPTO_REQUIRES(writing_) -> absl::Status {
      const absl::StatusOr<bool> left =
          settler_.expire(name, expiry_horizon(its, now), now + kIdsOutlive, kSliceChunks, done.expired);
      if (left.ok()) more = *left;
      return left.status();
    });
    if (!status.ok()) return status;
    if (more || done.expired != before) return true;
  }
  bool more = false;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::StatusOr<bool> left = settler_.forget(now, kSliceChunks);
    if (left.ok()) more = *left;
    return left.status();
  });
  if (!status.ok()) return status;
  return more;
}

absl::Status SqliteStore::read_specs() {
  Execution rows(writer_.prepare("SELECT name, spec FROM jobs WHERE spec != x''"));
  while (rows.next()) {
    const absl::StatusOr<JobSpec> spec = wire::decode_job_spec(rows.blob(1));
    if (spec.ok() && spec->retention_days != 0) retained_.emplace(rows.text(0), *spec);
  }
  return rows.status();
}

absl::Status SqliteStore::start() {
  const Lock lock(writing_);
  {
    Execution last(writer_.prepare("SELECT max(key) FROM ids"));
    if (last.next()) ids_end_ = last.integer(0) + 1;
    if (!last.status().ok()) return last.status();
  }
  if (absl::Status status = read_specs(); !status.ok()) return status;
  const auto damage = [&](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  absl::Status status =
      settler_.load(damage, [&](RecentPtr recent) KLEPTO_REQUIRES(writing_) { tail_.put(std::move(recent)); });
  if (!status.ok()) return status;
  sqlite::Migration migration(writer_, settler_);
  for (;;) {
    std::vector<RecentPtr> moved;
    status = write([&]() { return migration.move_some(moved); },
                   [&]() KLEPTO_REQUIRES(writing_) {
                     for (RecentPtr& each : moved) tail_.put(std::move(each));
                   },
                   false);
    if (!status.ok()) return status;
    if (moved.empty()) break;
    settle_if_due();
    checkpoint();
  }
  if (migration.moved() == 0) return absl::OkStatus();
  log_info(absl::StrCat("moved ", migration.moved(), " runs of an older build into the tables of this one"));
  return settle();
}

void SqliteStore::leave_out(std::string_view what, const absl::Status& why) {
  if (!damaged_rows_.first_sight(what)) return;
  log_error(absl::StrCat(absl_view(what), " is left out of answers: ", within(doing("read"), why).message()));
}

absl::StatusOr<std::optional<Run>> SqliteStore::run(const Uuid& id) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    if (const Recent* const recent = tail_.find(id)) return std::optional<Run>(recent->run);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
  }
  auto found = view.settled.find(id);
  if (!found.ok()) return within(doing("read"), found.status());
  if (!*found || (*found)->gone) return std::optional<Run>();
  return std::optional<Run>(std::move((*found)->run));
}

absl::StatusOr<RunPage> SqliteStore::runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                          std::size_t limit) {
  if (limit == 0) return absl::InvalidArgumentError("limit is 0; a page has at least one run");
  limit = std::min(limit, std::numeric_limits<std::size_t>::max() - 1);  // one more is looked for
  View view(readers_);
  std::vector<RecentPtr> recent;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
    const auto take = [&](const RecentPtr& each) {
      if (sqlite::behind(each->run, after) && matches(filter, each->run)) recent.push_back(each);
    };
    if (filter.job.empty()) {
      for (const auto& [id, each] : tail_.all()) take(each);
    } else if (const Tail::OfJob* const of_job = tail_.of_job(filter.job)) {
      for (auto at = of_job->rbegin(); at != of_job->rend() && recent.size() <= limit; ++at) take(at->second);
    }
  }
  const auto damage = [&](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  auto settled = view.settled.newest(filter, after, limit + 1, view.hidden, damage);
  if (!settled.ok()) return within(doing("read"), settled.status());
  const auto order = [](const RecentPtr& a, const RecentPtr& b) { return sqlite::newer(a->run, b->run); };
  const std::size_t kept = std::min(recent.size(), limit + 1);
  std::partial_sort(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(kept), recent.end(), order);
  std::vector<Run> all = *std::move(settled);
  for (std::size_t i = 0; i < kept; ++i) all.push_back(recent[i]->run);
  std::ranges::sort(all, sqlite::newer);
  RunPage page;
  if (all.size() > limit) {
    all.resize(limit);
    page.next = RunCursor{all.back().started_at, all.back().id};
  }
  page.runs = std::move(all);
  return page;
}

absl::Status SqliteStore::scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) {
  View view(readers_);
  std::vector<RecentPtr> recent;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
    if (filter.job.empty()) {
      for (const auto& [id, each] : tail_.all()) recent.push_back(each);
    } else if (const Tail::OfJob* const of_job = tail_.of_job(filter.job)) {
      for (const auto& [position, each] : *of_job) recent.push_back(each);
    }
  }
  for (const RecentPtr& each : recent) {
    if (matches(filter, each->run)) visit(each->run);
  }
  const auto damage = [&](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  return within(doing("read"),
                view.settled.scan(filter, view.hidden, false, damage, [&](Run&& run, bool) { visit(run); }));
}

absl::Status SqliteStore::add_rollups(View& view, const SummaryRequest& request, const Stretch& stretch,
                                      Pieces& pieces) {
  using By = Stretch::By;
  using stats::Resolution;
  const auto damage = [&](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  if (stretch.by == By::kRuns || stretch.by == By::kHour) {
    RunFilter filter{.job = request.job,
                     .states = {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}};
    filter.since = stretch.since;
    filter.until = stretch.until;
    const absl::Status status = view.settled.scan(filter, view.hidden, stretch.by == By::kHour, damage,
                                                  [&](Run&& run, bool) { pieces.run(run); });
    if (!status.ok() || stretch.by == By::kRuns) return status;
  }
  std::map<std::int64_t, std::string> names;
  Execution rows(view.reader->prepare("SELECT key, name FROM jobs WHERE name = ?1 OR ?1 = ''"));
  rows.bind_text(1, request.job);
  while (rows.next()) names.emplace(rows.integer(0), rows.text(1));
  if (!rows.status().ok()) return rows.status();
  std::vector<std::pair<stats::Series, std::int64_t>> series = {{stats::Series{}, sqlite::kDurations}};
  if (!request.series.durations()) {
    Execution key(view.reader->prepare("SELECT key FROM series WHERE name = ?1"));
    const std::string name = text_of(request.series);
    if (key.bind_text(1, name).next()) series.emplace_back(request.series, key.integer(0));
    if (!key.status().ok()) return key.status();
  }
  const Resolution resolution = stretch.by == By::kAll    ? Resolution::kAll
                                : stretch.by == By::kHour ? Resolution::kHour
                                                          : Resolution::kDay;
  const bool at_once = request.job.empty() && stretch.by == By::kAll;  // else a job's rows lie together
  for (const auto& [of, series_key] : series) {
    const auto visit = [&, &its = of](const sqlite::RollupKey& key, std::string_view bytes) -> absl::Status {
      const absl::StatusOr<stats::Rollup> rollup = wire::decode_rollup(bytes);
      const auto name = names.find(key.job);
      if (!rollup.ok()) return rollup.status();
      if (name != names.end()) pieces.rollup(name->second, key.start, its, *rollup);
      return absl::OkStatus();
    };
    if (at_once) {
      const absl::Status status = sqlite::read_rollups(*view.reader, {resolution, series_key, 0, 0}, 1, visit);
      if (!status.ok()) return status;
      continue;
    }
    for (const auto& [job, name] : names) {
      const absl::Status status =
          sqlite::read_rollups(*view.reader, {resolution, series_key, job, stretch.since}, stretch.until, visit);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteStore::summarize(const SummaryRequest& request, Pieces& pieces) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
    const auto add = [&](const Run& run) {
      if (!terminal(run.state)) return;
      for (const Stretch& stretch : request.stretches) {
        const bool in = run.started_at >= stretch.since && run.started_at < stretch.until;
        if (in || stretch.by == Stretch::By::kAll) pieces.run(run);
      }
    };
    if (request.job.empty()) {
      for (const auto& [id, recent] : tail_.all()) add(recent->run);
    } else if (const Tail::OfJob* const of_job = tail_.of_job(request.job)) {
      for (const auto& [position, recent] : *of_job) add(recent->run);
    }
  }
  for (const Stretch& stretch : request.stretches) {
    if (absl::Status status = add_rollups(view, request, stretch, pieces); !status.ok())
      return within(doing("read"), status);
  }
  return absl::OkStatus();
}

// What the tail says of a job.
struct TailHead {
  RecentPtr newest, verdict;
  bool running = false;
  std::set<Uuid> no_verdicts;  // ended, and say nothing of how the job fares
};

TailHead tail_head(const Tail::OfJob& of_job) {
  TailHead head;
  for (auto at = of_job.rbegin(); at != of_job.rend(); ++at) {
    const Run& run = at->second->run;
    if (head.newest == nullptr) head.newest = at->second;
    if (head.verdict == nullptr && is_verdict(run.state)) head.verdict = at->second;
    if (run.state == State::kCanceled) head.no_verdicts.insert(run.id);
    head.running = head.running || !terminal(run.state);
  }
  return head;
}

absl::StatusOr<std::vector<JobHead>> SqliteStore::jobs(const std::string& only) {
  View view(readers_);
  std::map<std::string, TailHead> tails;
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
    for (const auto& [job, of_job] : tail_.jobs()) {
      if (only.empty() || only == job) tails.emplace(job, tail_head(of_job));
    }
  }
  std::map<std::string, JobHead> heads;
  std::vector<std::string> verdicts_to_find;
  {
    Execution rows(
        view.reader->prepare("SELECT name, spec, last_run, verdict, verdict_at, verdict_id, key FROM jobs"
                             " WHERE name = ?1 OR ?1 = ''"));
    rows.bind_text(1, only);
    while (rows.next()) {
      JobHead& head = heads[std::string(rows.text(0))];
      const auto tail = tails.find(std::string(rows.text(0)));
      const absl::StatusOr<JobSpec> spec = wire::decode_job_spec(rows.blob(1));
      if (spec.ok()) head.spec = *spec;
      if (absl::StatusOr<Run> last = wire::decode_run(rows.blob(2)); last.ok()) head.last_run = *std::move(last);
      if (rows.integer(3) != 0) head.last_verdict = static_cast<State>(rows.integer(3));
      if (absl::StatusOr<bool> open = is_open(view, rows.integer(6)); open.ok()) {
        head.running = *open;
      } else {
        return within(doing("read"), open.status());
      }
      if (tail == tails.end()) continue;
      const Uuid verdict_id = Uuid::from_bytes(rows.blob(5)).value_or(Uuid{});
      const Recent* const recent = tail->second.verdict.get();
      const Tail::Position at(rows.integer(4), verdict_id);
      if (recent != nullptr && Tail::Position(recent->run.started_at, recent->run.id) >= at) {
        head.last_verdict = recent->run.state;
      } else if (tail->second.no_verdicts.contains(verdict_id)) {
        verdicts_to_find.emplace_back(rows.text(0));
      }
    }
    if (!rows.status().ok()) return within(doing("read"), rows.status());
  }
  for (const auto& [name, tail] : tails) {
    JobHead& head = heads[name];
    const Run& newest = tail.newest->run;
    if (!head.last_run || !sqlite::newer(*head.last_run, newest)) head.last_run = without_steps(newest);
    if (!head.last_verdict && tail.verdict != nullptr) head.last_verdict = tail.verdict->run.state;
    head.running = head.running || tail.running;
  }
  for (const std::string& name : verdicts_to_find) {
    const absl::StatusOr<std::optional<State>> verdict = last_verdict(view, name, tails.at(name).verdict.get());
    if (!verdict.ok()) return within(doing("read"), verdict.status());
    heads[name].last_verdict = *verdict;
  }
  std::vector<JobHead> all;
  for (auto& [name, head] : heads) {
    head.name = name;
    all.push_back(std::move(head));
  }
  return all;
}

// Of the tables and the tail, where the newest that the tables know of is no verdict any more.
absl::StatusOr<std::optional<State>> SqliteStore::last_verdict(View& view, const std::string& job,
                                                               const Recent* recent) {
  const auto damage = [&](std::string_view what, const absl::Status& why) { leave_out(what, why); };
  const RunFilter filter{.job = job, .states = {State::kSucceeded, State::kFailed, State::kCrashed}};
  const auto settled = view.settled.newest(filter, std::nullopt, 1, view.hidden, damage);
  if (!settled.ok()) return settled.status();
  const bool is_settled = !settled->empty() && (recent == nullptr || sqlite::newer(settled->front(), recent->run));
  if (is_settled) return std::optional<State>(settled->front().state);
  return recent == nullptr ? std::nullopt : std::optional<State>(recent->run.state);
}

absl::StatusOr<bool> SqliteStore::is_open(View& view, std::int64_t job) {
  Execution rows(view.reader->prepare("SELECT key FROM open_runs WHERE job = ?1"));
  rows.with(job);
  while (rows.next()) {
    if (!view.hidden.contains(rows.integer(0))) return true;
  }
  if (!rows.status().ok()) return rows.status();
  return false;
}

absl::StatusOr<Nanos> SqliteStore::complete_since(const std::string& job) {
  ReaderPool::Lease reader = readers_.borrow();
  Execution row(reader->prepare("SELECT max(complete_since) FROM jobs WHERE name = ?1 OR ?1 = ''"));
  const bool there = row.bind_text(1, job).next() && !row.null(0);
  if (!row.status().ok()) return within(doing("read"), row.status());
  return there ? row.integer(0) : std::numeric_limits<Nanos>::min();
}

absl::StatusOr<std::vector<std::string>> SqliteStore::verify(std::size_t differences_max) {
  View view(readers_);
  {
    const SharedLock shared(tail_mutex_);
    if (absl::Status status = view.begin(tail_); !status.ok()) return within(doing("read"), status);
  }
  auto differences = sqlite::verify(*view.reader, differences_max);
  if (!differences.ok()) return within(doing("verify"), differences.status());
  return differences;
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
  auto store = std::make_unique<SqliteStore>(path, *std::move(lock), *std::move(writer), std::move(readers),
                                             options.settle_runs);
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
