#include "aggregator/store/sqlite/settler.h"

#include <algorithm>
#include <functional>
#include <future>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/extent.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::size_t kLogRuns = 4096;  // in one row
// A batch of so many runs of one hour is worth a rollup of that hour; fewer are added up from the runs themselves.
constexpr std::size_t kHourWorth = 32;

// Of runs by job and start: which of them came with so many others of their hour that it gets a rollup.
std::vector<bool> worth_an_hour(const std::vector<const Recent*>& runs) {
  std::vector<bool> worth(runs.size());
  for (std::size_t first = 0, end = 0; first < runs.size(); first = end) {
    const Run& run = runs[first]->run;
    const Nanos hour = start_of(run.started_at, stats::Resolution::kHour);
    while (end < runs.size() && runs[end]->run.started_at - hour < stats::kHour && runs[end]->run.job == run.job) ++end;
    if (end - first >= kHourWorth)
      std::fill(worth.begin() + static_cast<std::ptrdiff_t>(first), worth.begin() + static_cast<std::ptrdiff_t>(end),
                true);
  }
  return worth;
}

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

}  // namespace

void Settler::reset() {
  job_keys_.clear();
  ids_.clear();
}

absl::StatusOr<std::int64_t> Settler::key_of_job(const std::string& name) {
  if (const auto known = job_keys_.find(name); known != job_keys_.end()) return known->second;
  const absl::StatusOr<std::int64_t> key = settled_.job_key(name);
  if (!key.ok()) return key;
  if (*key != 0) return job_keys_[name] = *key;
  Execution made(db_.prepare("INSERT INTO jobs(name) VALUES(?1)"));
  if (absl::Status status = made.bind_text(1, name).run(); !status.ok()) return status;
  return job_keys_[name] = sqlite3_last_insert_rowid(db_.raw());
}

absl::Status Settler::append(const std::vector<RecentPtr>& runs) {
  const std::vector<const Recent*> sorted = neighbours_alike(runs);
  for (std::size_t first = 0; first < sorted.size(); first += kLogRuns) {
    std::vector<wire::Chunked> chunked;
    for (std::size_t i = first; i < std::min(first + kLogRuns, sorted.size()); ++i) {
      chunked.push_back({&sorted[i]->run, static_cast<std::uint32_t>(i - first), false, sorted[i]->committed_at});
    }
    const std::string bytes = wire::encode_chunk(chunked, {});
    if (absl::Status status = db_.run("INSERT INTO log(bytes) VALUES(?1)", std::string_view(bytes)); !status.ok())
      return status;
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
    Recent recent{*std::move(run), in->committed_at(at), 0};
    const auto found = find(recent.run.id);
    if (!found.ok() && !absl::IsUnknown(found.status())) return found.status();
    if (found.ok() && *found && (*found)->place.is_open()) recent.open_key = (*found)->place.open_key();
    visit(std::make_shared<const Recent>(std::move(recent)));
  }
  return absl::OkStatus();
}

absl::Status Settler::settle(const Tail& tail) {
  std::vector<std::pair<std::string_view, const Tail::OfJob*>> jobs;
  for (const auto& [job, of_job] : tail.jobs()) jobs.emplace_back(job, &of_job);
  std::ranges::sort(jobs);
  std::vector<const Recent*> ended, open;  // by job, then by start, then by id
  for (const auto& [job, of_job] : jobs) {
    for (const auto& [position, recent] : *of_job) (terminal(recent->run.state) ? ended : open).push_back(recent.get());
  }
  ids_.clear();
  absl::Status status = write_chunks(ended);
  if (status.ok()) status = write_open(open);
  if (status.ok()) status = write_ids();
  if (status.ok()) status = update_heads(tail);
  if (status.ok()) status = db_.exec("DELETE FROM log");
  return status;
}

// Encoding needs nothing of the database: it goes on beside the sums, on a thread of its own where there is one.
absl::Status Settler::write_chunks(const std::vector<const Recent*>& ended) {
  const std::vector<bool> worth = worth_an_hour(ended);
  std::vector<std::vector<wire::Chunked>> parts;
  for (std::size_t i = 0; i < ended.size(); ++i) {
    if (i % kSlotsMax == 0) parts.emplace_back();
    parts.back().push_back(
        {&ended[i]->run, static_cast<std::uint32_t>(i % kSlotsMax), worth[i], ended[i]->committed_at});
  }
  std::future<std::vector<std::string>> encoded = std::async([&parts] {
    std::vector<std::string> all;
    for (const std::vector<wire::Chunked>& part : parts) all.push_back(wire::encode_chunk(part, {}));
    return all;
  });
  absl::Status status = add_up(ended, worth);
  const std::vector<std::string> bytes = encoded.get();
  for (std::size_t i = 0; i < parts.size() && status.ok(); ++i) status = write_chunk(parts[i], bytes[i]);
  return status;
}

absl::Status Settler::add_up(const std::vector<const Recent*>& ended, const std::vector<bool>& worth) {
  RollupRows rollups(db_);
  const std::string* job = nullptr;
  std::int64_t job_key = 0;
  for (std::size_t i = 0; i < ended.size(); ++i) {
    const Run& run = ended[i]->run;
    if (job == nullptr || *job != run.job) {
      if (absl::Status status = rollups.flush(); !status.ok()) return status;
      const absl::StatusOr<std::int64_t> key = key_of_job(run.job);
      if (!key.ok()) return key.status();
      job = &run.job;
      job_key = *key;
    }
    if (absl::Status status = rollups.add(job_key, run, worth[i]); !status.ok()) return status;
    if (absl::Status status = close(*ended[i]); !status.ok()) return status;
  }
  return rollups.flush();
}

// What was open is not any more.
absl::Status Settler::close(const Recent& recent) {
  if (recent.open_key == 0) return absl::OkStatus();
  const absl::Status status = db_.run("DELETE FROM open_runs WHERE key = ?1", recent.open_key);
  if (!status.ok()) return status;
  return db_.run("DELETE FROM ids WHERE key = ?1 AND place = ?2", key_of(recent.run.id),
                 Place::open(recent.open_key).number);
}

absl::Status Settler::write_chunk(const std::vector<wire::Chunked>& chunked, std::string_view bytes) {
  const Extent extent = extent_of(chunked);
  absl::Status status = db_.run("INSERT INTO chunks(first_start, last_start, states, bytes) VALUES(?1, ?2, ?3, ?4)",
                                extent.first, extent.last, extent.states, bytes);
  if (!status.ok()) return status;
  const std::int64_t key = sqlite3_last_insert_rowid(db_.raw());
  for (const wire::Chunked& each : chunked) {
    const Place place = Place::in_chunk(key, each.slot);
    ids_.emplace_back(key_of(each.run->id), place.number);
    if (!bad(*each.run)) continue;
    status = db_.run("INSERT INTO bad(started_at, place) VALUES(?1, ?2)", each.run->started_at, place.number);
    if (!status.ok()) return status;
  }
  return write_slices(key, chunked);
}

absl::Status Settler::write_slices(std::int64_t key, const std::vector<wire::Chunked>& chunked) {
  for (const auto& [job, extent] : extents_by_job(chunked)) {
    const absl::StatusOr<std::int64_t> job_key = key_of_job(std::string(job));
    if (!job_key.ok()) return job_key.status();
    const absl::Status status =
        db_.run("INSERT INTO slices(job, last_start, chunk, first_start, states, loose) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                *job_key, extent.last, key, extent.first, extent.states, extent.loose);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// In order, so that neighbours go to the same pages.
absl::Status Settler::write_ids() {
  if (ids_.empty()) return absl::OkStatus();
  std::ranges::sort(ids_);
  last_id_ = std::max(last_id_, ids_.back().first);
  const absl::StatusOr<sqlite3_stmt*> insert = db_.prepare("INSERT INTO ids(key, place) VALUES(?1, ?2)");
  for (const auto& [key, place] : ids_) {
    if (absl::Status status = Execution(insert).with(key, place).run(); !status.ok()) return status;
  }
  ids_.clear();
  return absl::OkStatus();
}

absl::Status Settler::write_open(const std::vector<const Recent*>& open) {
  for (const Recent* recent : open) {
    const Run& run = recent->run;
    const absl::StatusOr<std::int64_t> job = key_of_job(run.job);
    if (!job.ok()) return job.status();
    const std::string bytes = wire::encode_run(run);
    absl::Status status;
    if (recent->open_key != 0) {
      status = db_.run("UPDATE open_runs SET bytes = ?2 WHERE key = ?1", recent->open_key, std::string_view(bytes));
    } else {
      status = db_.run("INSERT INTO open_runs(job, started_at, bytes) VALUES(?1, ?2, ?3)", *job, run.started_at,
                       std::string_view(bytes));
      ids_.emplace_back(key_of(run.id), Place::open(sqlite3_last_insert_rowid(db_.raw())).number);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
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
