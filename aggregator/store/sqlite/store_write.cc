// What changes the store: commits, and the settling, expiring and moving that follow from them.

#include <algorithm>
#include <memory>

#include "aggregator/base/log.h"
#include "aggregator/store/apply.h"
#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/change_rows.h"
#include "aggregator/store/sqlite/migration.h"
#include "aggregator/store/sqlite/schema.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"
#include "aggregator/wire/job_spec.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator::sqlite {

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
  if (absl::Status status = check_room(path_, limits::run_bytes_max); !status.ok())
    return within(doing("write to"), status);
  const std::string touch = absl::StrCat("PRAGMA user_version=", kSchemaVersion);
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  return within(doing("write to"), write([&]() KLEPTO_REQUIRES(writing_) { return writer_.exec(touch.c_str()); }));
}

absl::StatusOr<std::vector<Applied>> SqliteStore::commit(std::vector<Run> runs, Nanos now, const std::vector<Basis>&) {
  Staged staged;
  if (runs.empty()) return staged.applied;
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const absl::Status status = write(
      [&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
        absl::Status done = stage_all(std::move(runs), now, staged);
        if (done.ok()) done = withdraw(staged);
        return done.ok() ? settler_.append(staged.runs, keeps_changes_) : done;
      },
      [&]() KLEPTO_REQUIRES(writing_) { put_all(staged.runs); }, staged.together);
  if (!status.ok()) return within(doing("commit to"), status);
  if (keeps_changes_) waiting_ += staged.runs.size();
  settle_if_due();
  checkpoint();
  return std::move(staged.applied);
}

absl::Status SqliteStore::stage_all(std::vector<Run>&& runs, Nanos now, Staged& staged) {
  staged.applied.reserve(runs.size());
  staged.runs.reserve(runs.size());
  staged.by_id.reserve(runs.size());
  for (Run& run : runs) {
    const absl::StatusOr<Applied> one = stage(std::move(run), now, staged);
    if (!one.ok()) return one.status();
    staged.applied.push_back(*one);
  }
  return absl::OkStatus();
}

// Against what this commit made of the run, else what is in a tail, else in the tables. What is put aside cannot be
// replaced before it is settled.
absl::StatusOr<Applied> SqliteStore::stage(Run&& run, Nanos now, Staged& staged) {
  const auto found = staged.by_id.find(run.id);
  const Recent* known = found != staged.by_id.end() ? staged.runs[found->second].get() : tail_.find(run.id);
  const bool aside = known == nullptr && (known = settling_.find(run.id)) != nullptr;
  if (known == nullptr) return stage_settled(std::move(run), now, staged);
  const Judgement judgement = judge(run, known->run);
  if (judgement.applied != Applied::kAccepted) return judgement.applied;
  if (aside) {
    if (absl::Status status = finish_settling_first(); !status.ok()) return status;
    return stage(std::move(run), now, staged);
  }
  put(merged(std::move(run), known->run, judgement), now, known->open_key, staged);
  return Applied::kAccepted;
}

absl::StatusOr<Applied> SqliteStore::stage_settled(Run&& run, Nanos now, Staged& staged) {
  auto found = settler_.find(run.id);
  if (absl::IsUnknown(found.status())) {
    // It is there, but what it says is lost: to take it again would count it twice.
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
  const std::int64_t open_key = stored.place.is_open() ? stored.place.open_key() : 0;
  put(merged(std::move(run), stored.run, judgement), now, open_key, staged);
  if (open_key == 0) staged.withdrawn.push_back(*std::move(*found));
  return Applied::kAccepted;
}

// Changes rollups, which nobody may while more is being added to them.
absl::Status SqliteStore::withdraw(Staged& staged) {
  if (staged.withdrawn.empty()) return absl::OkStatus();
  if (absl::Status status = finish_settling_first(); !status.ok()) return status;
  staged.together = true;
  for (const Settled::Found& each : staged.withdrawn) {
    if (absl::Status status = settler_.withdraw(each); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void SqliteStore::put_all(std::vector<RecentPtr>& runs) {
  for (RecentPtr& each : runs) tail_.put(std::move(each));
}

void SqliteStore::put(Run&& run, Nanos now, std::int64_t open_key, Staged& staged) {
  auto recent = std::make_shared<const Recent>(std::move(run), now, open_key);
  const auto [known, added] = staged.by_id.try_emplace(recent->run.id, staged.runs.size());
  if (added) {
    staged.runs.push_back(std::move(recent));
  } else {
    staged.runs[known->second] = std::move(recent);
  }
}

absl::Status SqliteStore::write(Body body, Publish publish, const bool& together) {
  absl::Status status = begin(body);
  if (!together) {
    status = end(std::move(status));
    const ExclusiveLock exclusive(tail_mutex_);
    if (status.ok()) publish();
    return status;
  }
  const ExclusiveLock exclusive(tail_mutex_);
  status = end(std::move(status));
  if (status.ok()) publish();
  return status;
}

absl::Status SqliteStore::write(Body body) { return end(begin(body)); }

absl::Status SqliteStore::begin(Body body) {
  const absl::Status status = writer_.exec("BEGIN IMMEDIATE");
  return status.ok() ? body() : status;
}

absl::Status SqliteStore::end(absl::Status status) {
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

// Copies the log into the database once it is as long. Done here and not by SQLite's own hook, which would hide
// a failed fsync and try again. The commit before it is durable either way.
void SqliteStore::checkpoint(int pages_min) {
  if (log_pages_ < pages_min) return;
  const int code = sqlite3_wal_checkpoint_v2(writer_.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  const absl::Status status = status_of(code, writer_.raw(), doing("copy the log of an earlier commit into"));
  if (!status.ok() && !absl::IsUnavailable(status)) give_up(status);
}

absl::Status SqliteStore::put_job(const std::string& name, const JobSpec& spec) {
  const std::string bytes = wire::encode_job_spec(spec);
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
    const absl::StatusOr<std::int64_t> key = settler_.key_of_job(name);
    if (!key.ok()) return key.status();
    absl::Status done = writer_.run("UPDATE jobs SET spec = ?2 WHERE key = ?1", *key, std::string_view(bytes));
    return done.ok() && keeps_changes_ ? write_change(writer_, {.job = name, .bytes = bytes}) : done;
  });
  if (!status.ok()) return within(doing("commit to"), status);
  waiting_ += keeps_changes_ ? 1 : 0;
  if (spec.retention_days == 0) {
    retained_.erase(name);
  } else {
    retained_[name] = spec;
  }
  expiry_due_ = true;
  return absl::OkStatus();
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
  if (absl::Status status = read_specs(); !status.ok()) return status;
  const auto damage = telling();
  absl::Status status =
      settler_.load(damage, [&](RecentPtr recent) KLEPTO_REQUIRES(writing_) { tail_.put(std::move(recent)); });
  if (!status.ok()) return status;
  Migration migration(writer_, settler_);
  for (;;) {
    std::vector<RecentPtr> moved;
    status =
        write([&]() { return migration.move_some(moved); }, [&]() KLEPTO_REQUIRES(writing_) { put_all(moved); }, false);
    if (!status.ok()) return status;
    if (moved.empty()) break;
    settle_if_due();
    checkpoint();
  }
  if (migration.moved() == 0) return absl::OkStatus();
  log_info(absl::StrCat("moved ", migration.moved(), " runs of an older build into the tables of this one"));
  return settle_all();
}

}  // namespace kleptometrics::aggregator::sqlite
