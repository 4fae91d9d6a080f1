#include "aggregator/store/sqlite/settler.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/change_rows.h"
#include "aggregator/store/sqlite/extent.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::size_t kLogRuns = 4096;   // in one row
constexpr std::size_t kIdsAtOnce = 256;  // in one statement
// By job, in any order of the jobs, and start: enough for narrow columns, and cheaper than by name.
std::vector<const Recent*> neighbours_alike(const std::vector<RecentPtr>& runs) {
  std::vector<std::tuple<std::size_t, Nanos, const Recent*>> keyed;
  keyed.reserve(runs.size());
  for (const RecentPtr& each : runs)
    keyed.emplace_back(std::hash<std::string>()(each->run.job), each->run.started_at, each.get());
  std::ranges::sort(keyed);
  std::vector<const Recent*> sorted;
  sorted.reserve(runs.size());
  for (const auto& [job, start, recent] : keyed) sorted.push_back(recent);
  return sorted;
}

std::string insert_ids(std::size_t rows) {
  std::string sql = "INSERT INTO ids(key, place) VALUES(?, ?)";
  for (std::size_t i = 1; i < rows; ++i) sql += ", (?, ?)";
  return sql;
}

}  // namespace

void Settler::reset() { job_keys_.clear(); }

absl::StatusOr<std::int64_t> Settler::key_of_job(const std::string& name) {
  if (const auto known = job_keys_.find(name); known != job_keys_.end()) return known->second;
  const absl::StatusOr<std::int64_t> key = settled_.job_key(name);
  if (!key.ok()) return key;
  if (*key != 0) return job_keys_[name] = *key;
  Execution made(db_.prepare("INSERT INTO jobs(name) VALUES(?1)"));
  if (absl::Status status = made.bind_text(1, name).run(); !status.ok()) return status;
  return job_keys_[name] = sqlite3_last_insert_rowid(db_.raw());
}

absl::Status Settler::append(const std::vector<RecentPtr>& runs, bool pass_on) {
  const std::vector<const Recent*> sorted = neighbours_alike(runs);
  for (std::size_t first = 0; first < sorted.size(); first += kLogRuns) {
    std::vector<wire::Chunked> chunked;
    for (std::size_t i = first; i < std::min(first + kLogRuns, sorted.size()); ++i) {
      chunked.push_back({&sorted[i]->run, static_cast<std::uint32_t>(i - first), false, sorted[i]->committed_at});
    }
    const std::string bytes = wire::encode_chunk(chunked, {});
    if (absl::Status status = db_.run("INSERT INTO log(bytes) VALUES(?1)", std::string_view(bytes)); !status.ok())
      return status;
    if (!pass_on) continue;
    const ChangeRow row{.items = chunked.size(), .ends = first + kLogRuns >= sorted.size(), .bytes = bytes};
    if (absl::Status status = write_change(db_, row); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Row by row, so that one that is damaged costs no other.
absl::Status Settler::load(Settled::Damage damage, absl::FunctionRef<void(RecentPtr)> visit) {
  std::int64_t first = 0;
  std::int64_t last = 0;
  {
    Execution ends(
        db_.prepare("SELECT (SELECT min(key) FROM log), (SELECT max(key) FROM log),"
                    " (SELECT max(key) FROM ids)"));
    if (!ends.next()) return ends.status();
    last_id_ = ends.integer(2);
    if (ends.null(0)) return absl::OkStatus();
    first = ends.integer(0);
    last = ends.integer(1);
  }
  for (std::int64_t key = first; key <= last; ++key) {
    if (absl::Status status = load_row(key, damage, visit); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Settler::load_row(std::int64_t key, Settled::Damage damage, absl::FunctionRef<void(RecentPtr)> visit) {
  Execution row(db_.prepare("SELECT bytes FROM log WHERE key = ?1"));
  const std::string name = absl::StrCat("row ", key, " of the log");
  if (!row.with(key).next()) {
    if (!row.corrupt()) return row.status();
    damage(name, row.status());
    return absl::OkStatus();
  }
  const absl::StatusOr<wire::ChunkReader> in = wire::ChunkReader::open(row.blob(0));
  if (!in.ok()) {
    damage(name, in.status());
    return absl::OkStatus();
  }
  for (std::size_t at = 0; at < in->size(); ++at) {
    absl::StatusOr<Run> run = in->run(at);
    if (!run.ok()) {
      damage(name, run.status());
      continue;
    }
    Recent recent(*std::move(run), in->committed_at(at), 0);
    const auto found = find(recent.run.id);
    if (!found.ok() && !absl::IsUnknown(found.status())) return found.status();
    if (found.ok() && *found && (*found)->place.is_open()) recent.open_key = (*found)->place.open_key();
    visit(std::make_shared<const Recent>(std::move(recent)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::vector<JobOfTail>>> Settler::jobs_of(const Tail& tail, bool make) {
  std::vector<JobOfTail> jobs;
  jobs.reserve(tail.jobs().size());
  for (const auto& [name, runs] : tail.jobs()) {
    if (!make && !job_keys_.contains(name)) return std::nullopt;
    const absl::StatusOr<std::int64_t> key = key_of_job(name);
    if (!key.ok()) return key.status();
    jobs.push_back({name, *key, &runs});
  }
  std::ranges::sort(jobs, {}, &JobOfTail::name);
  return jobs;
}

absl::StatusOr<std::int64_t> Settler::log_end() {
  Execution row(db_.prepare("SELECT coalesce(max(key), 0) FROM log"));
  const bool there = row.next();
  if (!row.status().ok()) return row.status();
  return there ? row.integer(0) : 0;
}

absl::Status Settler::settle(Settlement& settlement, const Tail& tail, std::int64_t log_end) {
  std::int64_t first_chunk = 0;
  {
    Execution row(db_.prepare("SELECT coalesce(max(key), 0) + 1 FROM chunks"));
    if (!row.next()) return row.status();
    first_chunk = row.integer(0);
  }
  absl::Status status = write_chunks(settlement.chunks, first_chunk);
  if (status.ok()) status = RollupRows(db_).write(settlement.rollups, settlement.new_series);
  for (std::size_t i = 0; i < settlement.closed.size() && status.ok(); ++i) status = close(*settlement.closed[i]);
  for (std::size_t i = 0; i < settlement.open.size() && status.ok(); ++i) status = write_open(*settlement.open[i]);
  if (status.ok()) status = write_ids(settlement.ids, first_chunk);
  if (status.ok()) status = update_heads(tail);
  if (status.ok()) status = db_.run("DELETE FROM log WHERE key <= ?1", log_end);
  return status;
}

// What was open is not any more.
absl::Status Settler::close(const Recent& recent) {
  const absl::Status status = db_.run("DELETE FROM open_runs WHERE key = ?1", recent.open_key);
  if (!status.ok()) return status;
  return db_.run("DELETE FROM ids WHERE key = ?1 AND place = ?2", key_of(recent.run.id),
                 Place::open(recent.open_key).number);
}

absl::Status Settler::write_chunks(const std::vector<NewChunk>& chunks, std::int64_t first) {
  std::int64_t key = first;
  for (const NewChunk& chunk : chunks) {
    absl::Status status =
        db_.run("INSERT INTO chunks(key, first_start, last_start, states, bytes) VALUES(?1, ?2, ?3, ?4, ?5)", key,
                chunk.extent.first, chunk.extent.last, chunk.extent.states, std::string_view(chunk.bytes));
    for (const wire::Chunked& each : chunk.bad) {
      if (!status.ok()) return status;
      status = db_.run("INSERT INTO bad(started_at, place) VALUES(?1, ?2)", each.run->started_at,
                       Place::in_chunk(key, each.slot).number);
    }
    if (status.ok()) status = write_slices(key, chunk.slices);
    if (!status.ok()) return status;
    ++key;
  }
  return absl::OkStatus();
}

absl::Status Settler::write_slices(std::int64_t chunk, const std::vector<Slice>& slices) {
  for (const auto& [job, extent] : slices) {
    const absl::Status status =
        db_.run("INSERT INTO slices(job, last_start, chunk, first_start, states, loose) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                job, extent.last, chunk, extent.first, extent.states, extent.loose);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// In order, so that neighbours go to the same pages, and many in one statement, which finds its way to the page once.
absl::Status Settler::write_ids(const std::vector<NewId>& ids, std::int64_t first_chunk) {
  if (ids.empty()) return absl::OkStatus();
  last_id_ = std::max(last_id_, ids.back().key);
  const std::int64_t first_place = Place::in_chunk(first_chunk, 0).number;
  std::size_t at = 0;
  for (const std::size_t at_once : {kIdsAtOnce, std::size_t{1}}) {
    const absl::StatusOr<sqlite3_stmt*> insert = db_.prepare(insert_ids(at_once));
    for (; at + at_once <= ids.size(); at += at_once) {
      Execution rows(insert);
      for (std::size_t i = 0; i < at_once; ++i) {
        rows.bind(static_cast<int>(2 * i + 1), ids[at + i].key);
        rows.bind(static_cast<int>(2 * i + 2), first_place + ids[at + i].slot);
      }
      if (absl::Status status = rows.run(); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status Settler::write_open(const Recent& recent) {
  const Run& run = recent.run;
  const std::string bytes = wire::encode_run(run);
  if (recent.open_key != 0)
    return db_.run("UPDATE open_runs SET bytes = ?2 WHERE key = ?1", recent.open_key, std::string_view(bytes));
  const absl::StatusOr<std::int64_t> job = key_of_job(run.job);
  if (!job.ok()) return job.status();
  absl::Status status = db_.run("INSERT INTO open_runs(job, started_at, bytes) VALUES(?1, ?2, ?3)", *job,
                                run.started_at, std::string_view(bytes));
  if (!status.ok()) return status;
  const std::int64_t key = key_of(run.id);
  last_id_ = std::max(last_id_, key);
  return db_.run("INSERT INTO ids(key, place) VALUES(?1, ?2)", key,
                 Place::open(sqlite3_last_insert_rowid(db_.raw())).number);
}

absl::Status Settler::update_heads(const Tail& tail) {
  for (const auto& [job, recent] : tail.jobs()) {
    if (absl::Status status = update_head(job, recent, tail); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Starts and ids of runs never change, so that what is newest is so for ever, until it expires; only what it says may
// change.
absl::Status Settler::update_head(const std::string& job, const Tail::OfJob& recent, const Tail& tail) {
  const absl::StatusOr<std::int64_t> key = key_of_job(job);
  if (!key.ok()) return key.status();
  std::string last;
  Nanos verdict_at = 0;
  Uuid verdict_id;
  {
    Execution row(db_.prepare("SELECT last_run, verdict_at, verdict_id FROM jobs WHERE key = ?1"));
    if (!row.with(*key).next()) return row.status().ok() ? absl::DataLossError("a job is missing") : row.status();
    last = row.blob(0);
    verdict_at = row.integer(1);
    verdict_id = Uuid::from_bytes(row.blob(2)).value_or(Uuid{});
  }
  const Run& newest = recent.rbegin()->second->run;
  bool replace = last.empty();
  if (!replace) {
    const absl::StatusOr<Run> known = wire::decode_run(last);
    replace = !known.ok() || !newer(*known, newest);
  }
  if (replace) {
    const std::string bytes = wire::encode_run(without_steps(newest));
    const absl::Status status = db_.run("UPDATE jobs SET last_run = ?2 WHERE key = ?1", *key, std::string_view(bytes));
    if (!status.ok()) return status;
  }
  const Recent* const judged = tail.find(verdict_id);
  if (judged != nullptr && !is_verdict(judged->run.state)) return find_head(job);
  for (auto at = recent.rbegin(); at != recent.rend(); ++at) {
    const Run& run = at->second->run;
    if (!is_verdict(run.state)) continue;
    if (!verdict_id.none() && at->first < Tail::Position(verdict_at, verdict_id)) break;
    return db_.run("UPDATE jobs SET verdict = ?2, verdict_at = ?3, verdict_id = ?4 WHERE key = ?1", *key,
                   static_cast<std::int64_t>(run.state), run.started_at, run.id.view());
  }
  return absl::OkStatus();
}

// Looks for the newest runs of the job anew.
absl::Status Settler::find_head(const std::string& job) {
  const absl::StatusOr<std::int64_t> key = key_of_job(job);
  if (!key.ok()) return key.status();
  const auto last = settled_.newest({.job = job}, std::nullopt, 1, {}, leave_out_quietly);
  if (!last.ok()) return last.status();
  const auto verdict = settled_.newest({.job = job, .states = {State::kSucceeded, State::kFailed, State::kCrashed}},
                                       std::nullopt, 1, {}, leave_out_quietly);
  if (!verdict.ok()) return verdict.status();
  const std::string bytes = last->empty() ? "" : wire::encode_run(without_steps(last->front()));
  const Run none;
  const Run& judged = verdict->empty() ? none : verdict->front();
  return db_.run("UPDATE jobs SET last_run = ?2, verdict = ?3, verdict_at = ?4, verdict_id = ?5 WHERE key = ?1", *key,
                 std::string_view(bytes),
                 static_cast<std::int64_t>(verdict->empty() ? 0 : static_cast<int>(judged.state)), judged.started_at,
                 verdict->empty() ? std::string_view() : judged.id.view());
}

}  // namespace kleptometrics::aggregator::sqlite
