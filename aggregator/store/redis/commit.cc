#include "aggregator/store/redis/commit.h"

#include <algorithm>
#include <utility>

#include "aggregator/store/apply.h"
#include "aggregator/store/redis/ordered.h"
#include "aggregator/store/redis/rollup_changes.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kIdsPerCommand = 10'000;
constexpr std::size_t kRunsPerEntry = 1'000;  // of the list of changes

bool bad(State state) { return terminal(state) && state != State::kSucceeded; }

// Members of a sorted set that come and go, all of score 0: lists are ordered by the members alone.
struct Members {
  Command coming, going;
  void move(const std::string& member, bool was, bool is) {
    if (is && !was) coming.add("0").add(member);
    if (was && !is) going.add(member);
  }
  void write(const std::string& key, Transaction& out) const {
    if (coming.count() != 0) out.add(Command("ZADD", key), coming);
    if (going.count() != 0) out.add(Command("ZREM", key), going);
  }
};

struct Lists {
  Members all, bad, open;
  void move(const std::string& place, const std::optional<Run>& before, const Run& after) {
    all.move(place, before.has_value(), true);
    bad.move(place, before && redis::bad(before->state), redis::bad(after.state));
    open.move(place, before && !terminal(before->state), !terminal(after.state));
  }
};

}  // namespace

absl::StatusOr<bool> Commit::attempt(Connection& connection) {
  known_.clear();
  ids_.clear();
  applied_.clear();
  if (absl::Status status = read(connection); !status.ok()) return status;
  if (absl::Status status = check_bases(); !status.ok()) return status;
  if (absl::Status status = read_runs(connection); !status.ok()) return status;
  applied_.reserve(runs_.size());
  for (const Run& run : runs_) applied_.push_back(stage(run));
  if (std::ranges::find(applied_, Applied::kAccepted) != applied_.end()) return write(connection);
  if (bases_.empty()) return true;
  // What another process did between the two reads can make ours a repeat of it: the bases must hold all the same.
  Transaction unchanged;
  expect(unchanged);
  return unchanged.execute(connection);
}

// The claims, before what they stand for.
absl::Status Commit::read(Connection& connection) {
  known_.reserve(runs_.size());
  const auto note = [this](const Uuid& id) {
    if (known_.try_emplace(id).second) ids_.push_back(id);
  };
  for (const Run& run : runs_) note(run.id);
  for (const Basis& basis : bases_) note(basis.id);
  Pipeline ask;
  for (std::size_t from = 0; from < ids_.size(); from += kIdsPerCommand) {
    Command ids("MGET");
    for (std::size_t i = from; i < std::min(ids_.size(), from + kIdsPerCommand); ++i) ids.add(keys_.id(ids_[i]));
    ask.add(ids);
  }
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const ReplyView claim = (*replies)[i / kIdsPerCommand][i % kIdsPerCommand];
    if (claim.nil()) continue;
    Known& known = known_[ids_[i]];
    known.claimed = claim.text();
    known.claim = decode_claim(claim.text());
    known.damaged = !known.claim;
  }
  return absl::OkStatus();
}

absl::Status Commit::check_bases() const {
  for (const Basis& basis : bases_) {
    const auto& claim = known_.at(basis.id).claim;
    Basis is{.id = basis.id};
    if (claim && !claim->gone) is = {basis.id, true, claim->rank, claim->revision, claim->annotations_revision};
    if (is != basis) return absl::AbortedError("another aggregator has changed a run meanwhile");
  }
  return absl::OkStatus();
}

absl::Status Commit::read_runs(Connection& connection) {
  std::map<std::string_view, std::vector<Uuid>> by_job;
  for (const Uuid& id : ids_) {
    const auto& claim = known_[id].claim;
    if (claim && !claim->gone) by_job[claim->job].push_back(id);
  }
  if (by_job.empty()) return absl::OkStatus();
  Pipeline ask;
  for (const auto& [job, ids] : by_job) {
    Command get("HMGET", keys_.runs(job));
    for (const Uuid& id : ids) get.add(id.view());
    ask.add(get);
  }
  const absl::StatusOr<Replies> replies = connection.ask(ask);
  if (!replies.ok()) return replies.status();
  std::size_t at = 0;
  for (const auto& [job, ids] : by_job) {
    const ReplyView records = (*replies)[at++];
    for (std::size_t i = 0; i < ids.size(); ++i) {
      absl::StatusOr<Record> record = decode_record(records[i].text());
      Known& known = known_[ids[i]];
      known.damaged = !record.ok();
      if (record.ok()) known.before = std::move(record->run);
    }
  }
  return absl::OkStatus();
}

// To take a damaged run again would count it twice.
Applied Commit::stage(const Run& run) {
  Known& known = known_[run.id];
  if (known.damaged || (known.claim && known.claim->gone)) return Applied::kDuplicate;
  const std::optional<Run>& stored = known.after ? known.after : known.before;
  if (!stored) {
    known.after = run;
    return Applied::kAccepted;
  }
  const Judgement judgement = judge(run, *stored);
  if (judgement.applied == Applied::kAccepted) known.after = merged(run, *stored, judgement);
  return judgement.applied;
}

absl::StatusOr<bool> Commit::write(Connection& connection) {
  RollupChanges rollups(keys_);
  for (const Uuid& id : ids_) {
    const Known& known = known_[id];
    if (!known.after || !terminal(known.after->state)) continue;
    if (known.before && terminal(known.before->state)) {
      rollups.replace(*known.before, *known.after);
    } else {
      rollups.add(*known.after);
    }
  }
  Transaction transaction;
  expect(transaction);
  if (absl::Status status = rollups.find_extremes(connection, transaction); !status.ok()) return status;
  write_runs(transaction);
  rollups.write(transaction);
  return transaction.execute(connection);
}

void Commit::expect(Transaction& out) const {
  for (const Uuid& id : ids_) {
    const Known& known = known_.at(id);
    if (known.after) out.expect(keys_.id(id), known.claimed);
  }
  for (const Basis& basis : bases_) {
    const Known& known = known_.at(basis.id);
    if (!known.after) out.expect(keys_.id(basis.id), known.claimed);
  }
}

void Commit::write_runs(Transaction& out) const {
  struct OfJob {
    Command records;
    Lists lists;
  };
  std::map<std::string, OfJob> jobs;
  Lists everywhere;
  Command claims;
  std::vector<std::string> records;
  records.reserve(ids_.size());
  for (const Uuid& id : ids_) {
    const Known& known = known_.at(id);
    if (!known.after) continue;
    const Run& after = *known.after;
    const std::string& record = records.emplace_back(encode_record(after, now_));
    const std::string place = place_of(after.started_at, id);
    OfJob& job = jobs[after.job];
    job.records.add(id.view()).add(record);
    job.lists.move(place, known.before, after);
    everywhere.move(place + after.job, known.before, after);
    claims.add(keys_.id(id)).add(encode_claim(after, known.claim ? known.claim->changes + 1 : 0));
  }
  out.add(Command("MSET"), claims);
  Command names;
  for (const auto& [name, job] : jobs) {
    names.add("0").add(name);
    out.add(Command("HSET", keys_.runs(name)), job.records);
    job.lists.all.write(keys_.starts(name), out);
    job.lists.bad.write(keys_.bad(name), out);
    job.lists.open.write(keys_.open(name), out);
  }
  out.add(Command("ZADD", keys_.jobs()), names);
  everywhere.all.write(keys_.all(), out);
  everywhere.bad.write(keys_.bad(), out);
  everywhere.open.write(keys_.open(), out);
  write_changes(out, records);
}

// One entry, or where that would be too long several, all but the last with a field that says so.
void Commit::write_changes(Transaction& out, const std::vector<std::string>& records) const {
  for (std::size_t from = 0; from < records.size(); from += kRunsPerEntry) {
    const std::size_t end = std::min(records.size(), from + kRunsPerEntry);
    Command entry("XADD", keys_.changes(), "*");
    if (end < records.size()) entry.add("more").add("");
    for (std::size_t i = from; i < end; ++i) entry.add("r").add(run_of_record(records[i]));
    out.add(entry);
  }
}

}  // namespace kleptometrics::aggregator::redis
