#include "aggregator/store/postgres/commit.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "aggregator/store/apply.h"
#include "aggregator/store/postgres/log_rows.h"
#include "aggregator/store/postgres/schema.h"
#include "aggregator/store/postgres/settler.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr std::size_t kCopyWorth = 48;  // new runs, for which it pays to have another round trip

constexpr char kLockBeside[] = "SELECT pg_advisory_xact_lock_shared($1)::text";
constexpr char kLockAlone[] = "SELECT pg_advisory_xact_lock($1)::text";
constexpr char kFindRuns[] = "SELECT id, change, body FROM runs WHERE id = ANY($1)";
constexpr char kFindGone[] = "SELECT id FROM gone WHERE id = ANY($1)";
constexpr char kNextChange[] = "SELECT nextval('change')";
constexpr char kInsertLog[] = "INSERT INTO log(change, settled, count, replaced, runs) VALUES($1, $2, $3, '', $4)";
constexpr char kInsertRuns[] =
    "INSERT INTO runs(id, started_at, kept_since, change, job, state, body, head) SELECT id, started_at, kept_since, $1,"
    " job, state, body, head FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::smallint[],"
    " $7::bytea[], $8::bytea[]) AS n(id, started_at, kept_since, job, state, body, head)";
constexpr char kCopyRuns[] =
    "COPY runs(id, started_at, kept_since, change, job, state, body, head) FROM STDIN (FORMAT binary)";
constexpr std::size_t kColumns = 8;
// Divides by zero where a row is not as it was.
constexpr char kUpdateRuns[] =
    "WITH updated AS (UPDATE runs r SET kept_since = n.kept_since, change = $1, state = n.state, body = n.body,"
    " head = n.head FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bytea[], $7::bytea[])"
    " AS n(id, old_change, kept_since, state, body, head) WHERE r.id = n.id AND r.change = n.old_change RETURNING 1)"
    " SELECT 1 / (CASE WHEN count(*) = $8 THEN 1 ELSE 0 END) FROM updated";
constexpr char kMarkReplaced[] =
    "UPDATE log SET replaced = replaced || $2 WHERE change = $1 AND NOT settled RETURNING 1";
constexpr char kFindJobs[] = "SELECT name, key FROM jobs WHERE name = ANY($1)";
constexpr char kMakeJobs[] = "INSERT INTO jobs(name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING";

Array array_of(const std::set<Uuid>& ids) {
  Array array = Array::uuids();
  for (const Uuid& id : ids) array.add(id);
  return array;
}

// As a row has it.
struct Row {
  std::string body, head;
  Nanos kept_since = 0;
  bool has_head = false;

  Row(const Run& run, Nanos now)
      : body(wire::encode_run(run)),
        kept_since(terminal(run.state) ? aggregator::kept_since(run, now) : run.started_at),
        has_head(!run.steps.empty()) {
    if (has_head) head = wire::encode_run(without_steps(run));
  }
  void add_to(Array& bodies, Array& heads) const {
    bodies.add(body);
    has_head ? heads.add(head) : heads.add_null();
  }
};

}  // namespace

absl::StatusOr<std::map<std::string, std::int64_t>> keys_of_jobs(Connection& db, const std::vector<std::string>& names,
                                                                 const JobKeys& known, JobKeys& found) {
  std::map<std::string, std::int64_t> keys;
  Array unknown = Array::texts();
  for (const std::string& name : names) {
    const auto its = known.find(name);
    if (its != known.end()) {
      keys[name] = its->second;
    } else {
      unknown.add(name);
    }
  }
  if (unknown.size() == 0) return keys;
  const absl::StatusOr<std::vector<Rows>> made =
      db.query_all({{kMakeJobs, Values().array(unknown)}, {kFindJobs, Values().array(unknown)}});
  if (!made.ok()) return made.status();
  const Rows& rows = made->back();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    keys[std::string(rows.bytes(i, 0))] = rows.integer(i, 1);
    found[std::string(rows.bytes(i, 0))] = rows.integer(i, 1);
  }
  if (keys.size() != names.size()) return absl::InternalError("a job that was made is not there");
  return keys;
}

absl::StatusOr<std::vector<Applied>> Commit::run(const std::vector<Run>& runs, const std::vector<Basis>& bases) {
  if (absl::Status status = find(runs, bases); !status.ok()) return status;
  if (absl::Status status = check(bases); !status.ok()) return status;
  std::vector<Applied> applied;
  applied.reserve(runs.size());
  for (const Run& run : runs) applied.push_back(apply(run));
  const std::vector<Staged*> changed = this->changed();
  if (changed.empty()) return applied;
  if (absl::Status status = find_jobs(); !status.ok()) return status;
  if (absl::Status status = store(changed); !status.ok()) return status;
  return applied;
}

// Ids of expired runs are asked for behind the runs: who removes a run adds its id.
absl::Status Commit::find(const std::vector<Run>& runs, const std::vector<Basis>& bases) {
  std::set<Uuid> ids;
  for (const Run& run : runs) ids.insert(run.id);
  for (const Basis& basis : bases) ids.insert(basis.id);
  const Array array = array_of(ids);
  const absl::StatusOr<std::vector<Rows>> answers =
      db_.query_all({{"BEGIN"},
                     {alone_ ? kLockAlone : kLockBeside, Values().int8(kCommitLock)},
                     {kFindRuns, Values().array(array)},
                     {kFindGone, Values().array(array)},
                     {kNextChange}});
  if (!answers.ok()) return answers.status();
  const Rows& found = (*answers)[2];
  for (std::size_t i = 0; i < found.size(); ++i) {
    Staged& staged = staged_[found.uuid(i, 0)];
    staged.stored_change = found.integer(i, 1);
    absl::StatusOr<Run> stored = wire::decode_run(found.bytes(i, 2));
    if (stored.ok()) {
      staged.run = *stored;
      staged.stored = *std::move(stored);
      staged.known = true;
    } else {
      staged.damaged = true;
      damage_(found.uuid(i, 0).text(), stored.status());
    }
  }
  const Rows& gone = (*answers)[3];
  for (std::size_t i = 0; i < gone.size(); ++i) staged_[gone.uuid(i, 0)].gone = true;
  change_ = (*answers)[4].integer(0, 0);
  return absl::OkStatus();
}

absl::Status Commit::check(const std::vector<Basis>& bases) const {
  for (const Basis& basis : bases) {
    const auto found = staged_.find(basis.id);
    const bool stored = found != staged_.end() && found->second.stored;
    if (basis_of(basis.id, stored ? &*found->second.stored : nullptr) == basis) continue;
    return absl::AbortedError(absl::StrCat("run ", basis.id.text(), " was changed by another process meanwhile"));
  }
  return absl::OkStatus();
}

// One that is damaged is there: to take it again would count it twice.
Applied Commit::apply(const Run& run) {
  Staged& staged = staged_[run.id];
  if (staged.gone || staged.damaged) return Applied::kDuplicate;
  if (!staged.known) {
    staged.run = run;
    staged.known = true;
    note_change(staged);
    return Applied::kAccepted;
  }
  const Judgement judgement = judge(run, staged.run);
  if (judgement.applied != Applied::kAccepted) return judgement.applied;
  staged.run = merged(run, staged.run, judgement);
  note_change(staged);
  return Applied::kAccepted;
}

void Commit::note_change(Staged& staged) {
  if (!staged.changed) order_.push_back(&staged);
  staged.changed = true;
}

std::vector<Commit::Staged*> Commit::changed() {
  std::vector<Staged*> changed;
  for (auto& [id, staged] : staged_) {
    if (staged.changed) changed.push_back(&staged);
  }
  return changed;
}

absl::Status Commit::find_jobs() {
  std::set<std::string> names;
  for (const auto& [id, staged] : staged_) {
    if (staged.changed) names.insert(staged.run.job);
  }
  const auto keys = keys_of_jobs(db_, {names.begin(), names.end()}, known_jobs_, found_jobs_);
  if (!keys.ok()) return keys.status();
  for (auto& [id, staged] : staged_) {
    if (staged.changed) staged.job = keys->at(staged.run.job);
  }
  return absl::OkStatus();
}

absl::Status Commit::store(const std::vector<Staged*>& changed) {
  std::vector<Staged*> fresh, replaced, settled;
  for (Staged* each : changed) {
    (each->stored ? replaced : fresh).push_back(each);
    if (each->stored && terminal(each->stored->state)) settled.push_back(each);
    if (terminal(each->run.state)) ++unsettled_;
  }
  std::vector<Statement> statements;
  if (!settled.empty()) {
    if (absl::Status status = Settler(db_).lock(); !status.ok()) return status;
  }
  statements.push_back(insert_log());
  if (!replaced.empty()) statements.push_back(update(replaced));
  if (fresh.size() >= kCopyWorth) {
    if (!replaced.empty()) {  // these first: where one has changed nothing else is worth the while
      if (absl::Status status = db_.query_all(std::exchange(statements, {})).status(); !status.ok()) return status;
    }
    if (absl::Status status = db_.copy(kCopyRuns, copy_of(fresh)); !status.ok()) return status;
  } else if (!fresh.empty()) {
    statements.push_back(insert(fresh));
  }
  if (!settled.empty()) {
    if (absl::Status status = db_.query_all(std::exchange(statements, {})).status(); !status.ok()) return status;
    if (absl::Status status = take_back(settled); !status.ok()) return status;
  }
  statements.push_back({kCommit});
  return db_.query_all(statements).status();
}

// The rows of runs have changed already, and those of log say which of them are in rollups.
absl::Status Commit::take_back(const std::vector<Staged*>& replaced) {
  std::vector<Statement> marks;
  for (const Staged* each : replaced)
    marks.push_back({kMarkReplaced, Values().int8(each->stored_change).bytea(each->run.id.view())});
  const absl::StatusOr<std::vector<Rows>> waited = db_.query_all(marks);
  if (!waited.ok()) return waited.status();
  std::vector<Settler::Counted> counted;
  for (std::size_t i = 0; i < replaced.size(); ++i)
    if ((*waited)[i].empty()) counted.push_back({replaced[i]->job, &*replaced[i]->stored});
  return Settler(db_).withdraw(counted);
}

Statement Commit::insert_log() const {
  std::vector<const Run*> runs;
  for (const Staged* each : order_) runs.push_back(&each->run);
  return {kInsertLog, Values()
                          .int8(change_)
                          .boolean(unsettled_ == 0)
                          .int4(static_cast<std::int64_t>(runs.size()))
                          .bytea(encode_log(runs, now_))};
}

Statement Commit::insert(const std::vector<Staged*>& fresh) const {
  Array ids = Array::uuids(), starts = Array::int8(), kept = Array::int8(), jobs = Array::int4(),
        states = Array::int2(), bodies = Array::byteas(), heads = Array::byteas();
  for (const Staged* each : fresh) {
    const Row row(each->run, now_);
    ids.add(each->run.id);
    starts.add(each->run.started_at);
    kept.add(row.kept_since);
    jobs.add(each->job);
    states.add(static_cast<std::int64_t>(each->run.state));
    row.add_to(bodies, heads);
  }
  Values values;
  values.int8(change_).array(ids).array(starts).array(kept).array(jobs).array(states).array(bodies).array(heads);
  return {kInsertRuns, std::move(values)};
}

std::string Commit::copy_of(const std::vector<Staged*>& fresh) const {
  CopyRows rows;
  for (const Staged* each : fresh) {
    const Row row(each->run, now_);
    rows.begin_row(kColumns);
    rows.uuid(each->run.id);
    rows.number(each->run.started_at, 8);
    rows.number(row.kept_since, 8);
    rows.number(change_, 8);
    rows.number(each->job, 4);
    rows.number(static_cast<std::int64_t>(each->run.state), 2);
    rows.bytes(row.body);
    row.has_head ? rows.bytes(row.head) : rows.null();
  }
  return std::move(rows).finish();
}

Statement Commit::update(const std::vector<Staged*>& replaced) const {
  Array ids = Array::uuids(), changes = Array::int8(), kept = Array::int8(), states = Array::int2(),
        bodies = Array::byteas(), heads = Array::byteas();
  for (const Staged* each : replaced) {
    const Row row(each->run, now_);
    ids.add(each->run.id);
    changes.add(each->stored_change);
    kept.add(row.kept_since);
    states.add(static_cast<std::int64_t>(each->run.state));
    row.add_to(bodies, heads);
  }
  Values values;
  values.int8(change_).array(ids).array(changes).array(kept).array(states).array(bodies).array(heads);
  values.int8(static_cast<std::int64_t>(replaced.size()));
  return {kUpdateRuns, std::move(values)};
}

}  // namespace kleptometrics::aggregator::postgres
