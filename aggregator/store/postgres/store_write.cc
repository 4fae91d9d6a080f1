// What changes the store on behalf of the committer, and what processes that share it say to each other.
#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aggregator/base/log.h"
#include "aggregator/store/postgres/log_rows.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"
#include "aggregator/wire/job_spec.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr int kTriesMax = 8;
constexpr int kTriesBeside = 2;  // then a commit is tried with no other beside it

constexpr char kPutJob[] = "UPDATE jobs SET spec = $2, retention_days = $3 WHERE key = $1";
constexpr char kLogJob[] =
    "INSERT INTO log(change, settled, count, job, spec, runs) VALUES(nextval('change'), true, 0, $1, $2, '')";
constexpr char kHold[] =
    "INSERT INTO duties AS d(duty, holder, until) VALUES($1, $2, clock_timestamp() + $3 * interval '1 microsecond')"
    " ON CONFLICT (duty) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until"
    " WHERE d.holder = EXCLUDED.holder OR d.until <= clock_timestamp() RETURNING 1";
constexpr char kGiveUp[] = "DELETE FROM duties WHERE duty = $1 AND holder = $2";
// Rows of up to `limit` runs or jobs, but one at least, and of the last whether others follow.
constexpr char kChanges[] =
    "SELECT change, job, spec, runs, following FROM (SELECT change, job, spec, runs, lead(change) OVER w AS following,"
    " sum(greatest(count, 1)) OVER w AS total, row_number() OVER w AS number FROM (SELECT * FROM log WHERE NOT passed"
    " ORDER BY change LIMIT $1 + 1) AS oldest WINDOW w AS (ORDER BY change)) AS counted"
    " WHERE total <= $1 OR number = 1 ORDER BY change";
// Those that wait to be settled are dropped then.
constexpr char kPass[] = "UPDATE log SET passed = true WHERE change = ANY($1) AND NOT settled";
constexpr char kDrop[] = "DELETE FROM log WHERE change = ANY($1) AND settled";

}  // namespace

absl::Status PostgresStore::try_write(Body body) {
  if (!writer_ || !writer_->clean()) {
    writer_.reset();
    absl::StatusOr<Connection> made = server_.connect();
    if (!made.ok()) return absl::UnavailableError(made.status().message());
    writer_ = *std::move(made);
  }
  const absl::Status status = body(*writer_);
  if (!status.ok()) writer_->roll_back();
  return status;
}

absl::Status PostgresStore::write(Body body) {
  absl::Status status;
  {
    const Lock lock(writing_);
    for (int tries = 0; tries < kTriesMax; ++tries) {
      status = try_write(body);
      if (!in_the_way(status)) break;
    }
    written_ = true;
  }
  const Lock lock(state_mutex_);
  write_failed_ = !status.ok() && !absl::IsAborted(status);
  return status;
}

absl::StatusOr<std::vector<Applied>> PostgresStore::commit(std::vector<Run> runs, Nanos now,
                                                           const std::vector<Basis>& bases) {
  std::vector<Applied> applied;
  if (runs.empty()) return applied;
  std::size_t unsettled = 0;
  int tries = 0;
  const auto damage = telling();
  const absl::Status status = write([&](Connection& db) KLEPTO_REQUIRES(writing_) -> absl::Status {
    Commit commit(db, job_keys_, now, ++tries > kTriesBeside, damage);
    absl::StatusOr<std::vector<Applied>> done = commit.run(runs, bases);
    if (!done.ok()) return done.status();
    applied = *std::move(done);
    unsettled = commit.unsettled();
    job_keys_.insert(commit.found_jobs().begin(), commit.found_jobs().end());
    db.roll_back();  // of one that changed nothing
    return absl::OkStatus();
  });
  if (!status.ok()) return within(doing("commit to"), status);
  note_unsettled(unsettled);
  return applied;
}

absl::Status PostgresStore::put_job(const std::string& name, const JobSpec& spec) {
  const std::string bytes = wire::encode_job_spec(spec);
  const absl::Status status = write([&](Connection& db) KLEPTO_REQUIRES(writing_) -> absl::Status {
    if (absl::Status begun = db.query("BEGIN").status(); !begun.ok()) return begun;
    JobKeys found;
    const auto keys = keys_of_jobs(db, {name}, job_keys_, found);
    if (!keys.ok()) return keys.status();
    const std::int64_t key = keys->begin()->second;
    const auto done = db.query_all({{kPutJob, Values().int4(key).bytea(bytes).int4(spec.retention_days)},
                                    {kLogJob, Values().text(name).bytea(bytes)},
                                    {kCommit}});
    house_due_ = true;
    if (done.ok()) job_keys_.insert(found.begin(), found.end());
    return done.status();
  });
  return within(doing("commit to"), status);
}

absl::StatusOr<bool> PostgresStore::hold(const std::string& duty, const std::string& holder, Nanos length) {
  return read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    if (length <= 0) {
      const absl::Status status = db.query(kGiveUp, Values().text(duty).text(holder)).status();
      if (!status.ok()) return status;
      return false;
    }
    const absl::StatusOr<Rows> taken = db.query(kHold, Values().text(duty).text(holder).int8((length + 999) / 1000));
    if (!taken.ok()) return taken.status();
    return !taken->empty();
  });
}

absl::StatusOr<Changes> PostgresStore::changes(std::size_t limit) {
  const auto most = static_cast<std::int64_t>(std::clamp<std::size_t>(limit, 1, std::size_t{1} << 30U));
  const auto damage = telling();
  return read<Changes>([&](Connection& db) -> absl::StatusOr<Changes> {
    const absl::StatusOr<Rows> rows = db.query(kChanges, Values().int8(most));
    if (!rows.ok()) return rows.status();
    Changes changes;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      absl::StrAppend(&changes.upto, i == 0 ? "" : ",", rows->integer(i, 0));
      if (!rows->null(i, 1)) {
        absl::StatusOr<JobSpec> spec = wire::decode_job_spec(rows->bytes(i, 2));
        if (spec.ok()) changes.items.push_back({std::string(rows->bytes(i, 1)), std::nullopt, *std::move(spec)});
      }
      const absl::Status status = each_run(rows->bytes(i, 3), [&](Run&& run) {
        std::string job = run.job;
        changes.items.push_back({std::move(job), std::move(run), std::nullopt});
      });
      if (!status.ok()) damage(absl::StrCat("row ", rows->integer(i, 0), " of log"), status);
    }
    changes.more = !rows->empty() && !rows->null(rows->size() - 1, 4);
    return changes;
  });
}

absl::Status PostgresStore::drop_changes(const std::string& upto) {
  if (upto.empty()) return absl::OkStatus();
  Array changes = Array::int8();
  for (const absl::string_view each : absl::StrSplit(upto, ',')) {
    std::int64_t change = 0;
    if (!absl::SimpleAtoi(each, &change))
      return absl::InvalidArgumentError("this is no position in the list of changes");
    changes.add(change);
  }
  const auto done = read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    absl::Status status;
    for (int tries = 0; tries < kTriesMax; ++tries) {
      status = db.query_all({{"BEGIN"}, {kPass, Values().array(changes)}, {kDrop, Values().array(changes)}, {kCommit}})
                   .status();
      if (status.ok()) return true;
      db.roll_back();
      if (!in_the_way(status)) break;
    }
    return status;
  });
  return done.ok() ? absl::OkStatus() : done.status();
}

// A server that has failed a write is asked for a small one.
absl::Status PostgresStore::ready() {
  bool failed = false;
  {
    const Lock lock(state_mutex_);
    failed = write_failed_;
  }
  const char* const question =
      failed ? "UPDATE meta SET value = value + 1 WHERE name = 'probes'" : "SELECT 1 FROM meta LIMIT 1";
  const auto answer = read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    const absl::StatusOr<Rows> rows = db.query(question);
    if (!rows.ok()) return rows.status();
    return true;
  });
  if (!answer.ok()) return answer.status();
  if (failed) {
    const Lock lock(state_mutex_);
    write_failed_ = false;
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::postgres
