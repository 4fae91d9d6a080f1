// How runs leave the tables: taken back by what replaces them, expired, and at last forgotten.
#include <algorithm>
#include <set>
#include <utility>

#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/extent.h"
#include "aggregator/store/sqlite/rollup_rows.h"
#include "aggregator/store/sqlite/settler.h"

namespace kleptometrics::aggregator::sqlite {

absl::StatusOr<Settler::Contents> Settler::read_chunk(std::int64_t key) {
  const absl::StatusOr<wire::ChunkReader> in = settled_.chunk(key);
  if (!in.ok()) return in.status();
  Contents contents;
  contents.gone = in->gone();
  contents.runs.reserve(in->size());
  for (std::size_t at = 0; at < in->size(); ++at) {
    absl::StatusOr<Run> run = in->run(at);
    if (!run.ok()) return damaged(run.status());
    contents.runs.push_back(*std::move(run));
    contents.chunked.push_back({&contents.runs.back(), in->slot(at), in->in_hours(at), in->committed_at(at)});
  }
  return contents;
}

// Puts `after` in the place of `before`: the chunk, its slices, and what the missing runs have elsewhere but ids.
absl::Status Settler::rewrite(std::int64_t key, const Contents& before, const Contents& after, Nanos forget_at) {
  absl::Status status;
  for (const auto& [job, extent] : extents_by_job(before.chunked)) {
    const absl::StatusOr<std::int64_t> job_key = key_of_job(std::string(job));
    if (!job_key.ok()) return job_key.status();
    status.Update(
        db_.run("DELETE FROM slices WHERE job = ?1 AND last_start = ?2 AND chunk = ?3", *job_key, extent.last, key));
  }
  std::set<std::uint32_t> kept;
  for (const wire::Chunked& each : after.chunked) kept.insert(each.slot);
  for (const wire::Chunked& each : before.chunked) {
    if (kept.contains(each.slot) || !bad(*each.run)) continue;
    status.Update(db_.run("DELETE FROM bad WHERE started_at = ?1 AND place = ?2", each.run->started_at,
                          Place::in_chunk(key, each.slot).number));
  }
  if (!status.ok()) return status;
  if (after.chunked.empty() && after.gone.empty()) return db_.run("DELETE FROM chunks WHERE key = ?1", key);
  const Extent extent = extent_of(after.chunked);
  const std::string bytes = wire::encode_chunk(after.chunked, after.gone);
  status = db_.run("UPDATE chunks SET first_start = ?2, last_start = ?3, states = ?4, bytes = ?5 WHERE key = ?1", key,
                   extent.first, extent.last, extent.states, std::string_view(bytes));
  if (status.ok() && forget_at != 0)
    status = db_.run("UPDATE chunks SET forget_at = ?2 WHERE key = ?1", key, forget_at);
  if (status.ok() && after.gone.empty()) status = db_.run("UPDATE chunks SET forget_at = NULL WHERE key = ?1", key);
  if (!status.ok()) return status;
  std::vector<Slice> slices;
  for (const auto& [job, of_job] : extents_by_job(after.chunked)) {
    const absl::StatusOr<std::int64_t> job_key = key_of_job(std::string(job));
    if (!job_key.ok()) return job_key.status();
    slices.push_back({*job_key, of_job});
  }
  return write_slices(key, slices);
}

absl::Status Settler::withdraw(const Settled::Found& found) {
  const std::int64_t chunk = found.place.chunk();
  const absl::StatusOr<Contents> before = read_chunk(chunk);
  if (!before.ok()) return before.status();
  Contents after;
  after.gone = before->gone;
  for (const wire::Chunked& each : before->chunked) {
    if (each.slot != found.place.slot()) after.chunked.push_back(each);
  }
  absl::Status status = rewrite(chunk, *before, after, 0);
  if (status.ok())
    status = db_.run("DELETE FROM ids WHERE key = ?1 AND place = ?2", key_of(found.run.id), found.place.number);
  if (!status.ok()) return status;
  const absl::StatusOr<std::int64_t> job = key_of_job(found.run.job);
  if (!job.ok()) return job.status();
  const auto others = [&](Nanos since, Nanos until, bool in_hours, absl::FunctionRef<void(const Run&)> visit) {
    RunFilter filter{.job = found.run.job};
    filter.since = since;
    filter.until = until;
    return settled_.scan(filter, {}, false, leave_out_quietly, [&](Run&& run, bool is_in_hours) {
      if (terminal(run.state) && (!in_hours || is_in_hours)) visit(run);
    });
  };
  return RollupRows(db_).remove(*job, found.run, found.in_hours, others);
}

absl::StatusOr<bool> Settler::expire(const std::string& job, Nanos horizon, Nanos forget_at, std::size_t chunks_max,
                                     std::uint64_t& expired) {
  const absl::StatusOr<std::int64_t> job_key = key_of_job(job);
  if (!job_key.ok()) return job_key.status();
  std::vector<std::int64_t> candidates;
  {
    Execution rows(db_.prepare("SELECT chunk FROM slices WHERE job = ?1 AND first_start < ?2"));
    rows.with(*job_key, horizon);
    while (rows.next()) candidates.push_back(rows.integer(0));
    if (!rows.status().ok()) return rows.status();
  }
  Nanos complete_since = std::numeric_limits<Nanos>::min();
  RollupRows rollups(db_);
  SeriesKeys series(db_);
  RollupSums sums([&series](const std::string& name) { return series.key_of(name); });
  std::size_t rewritten = 0;
  for (const std::int64_t chunk : candidates) {
    const absl::StatusOr<Contents> before = read_chunk(chunk);
    if (absl::IsUnknown(before.status())) continue;  // told when it is read
    if (!before.ok()) return before.status();
    Contents after;
    after.gone = before->gone;
    for (const wire::Chunked& each : before->chunked) {
      if (each.run->job != job || kept_since(*each.run, each.committed_at) >= horizon) {
        after.chunked.push_back(each);
        continue;
      }
      after.gone.push_back(each.run->id);
      if (!each.in_hours) sums.add_hour(*job_key, *each.run);
      if (absl::Status status = rollups.expire(*job_key, *each.run); !status.ok()) return status;
      complete_since = std::max(complete_since, each.run->started_at + 1);
      ++expired;
    }
    if (after.chunked.size() == before->chunked.size()) continue;
    if (absl::Status status = rewrite(chunk, *before, after, forget_at); !status.ok()) return status;
    if (++rewritten == chunks_max) break;
  }
  if (rewritten == 0) return false;
  std::vector<RollupRow> rows;
  absl::Status status = work_out(db_, sums, rows);
  if (status.ok()) status = rollups.write(rows, series.new_series());
  if (status.ok()) {
    status =
        db_.run("UPDATE jobs SET complete_since = max(complete_since, ?2) WHERE key = ?1", *job_key, complete_since);
  }
  if (status.ok()) status = find_head(job);
  if (!status.ok()) return status;
  return rewritten == chunks_max;
}

absl::StatusOr<bool> Settler::forget_due(Nanos now) {
  Execution rows(db_.prepare("SELECT key FROM chunks WHERE forget_at IS NOT NULL AND forget_at <= ?1 LIMIT 1"));
  const bool any = rows.with(now).next();
  if (!rows.status().ok()) return rows.status();
  return any;
}

absl::StatusOr<bool> Settler::forget(Nanos now, std::size_t chunks_max) {
  std::vector<std::int64_t> due;
  {
    Execution rows(db_.prepare("SELECT key FROM chunks WHERE forget_at IS NOT NULL AND forget_at <= ?1 LIMIT ?2"));
    rows.with(now, static_cast<std::int64_t>(chunks_max));
    while (rows.next()) due.push_back(rows.integer(0));
    if (!rows.status().ok()) return rows.status();
  }
  for (const std::int64_t key : due) {
    const absl::StatusOr<Contents> before = read_chunk(key);
    if (!before.ok()) {
      if (!absl::IsUnknown(before.status())) return before.status();
      const absl::Status status = db_.run("UPDATE chunks SET forget_at = NULL WHERE key = ?1", key);
      if (!status.ok()) return status;
      continue;
    }
    std::set<std::int64_t> kept;
    for (const wire::Chunked& each : before->chunked) kept.insert(Place::in_chunk(key, each.slot).number);
    for (const Uuid& id : before->gone) {
      std::vector<std::int64_t> places;
      {
        Execution rows(db_.prepare("SELECT place FROM ids WHERE key = ?1 AND place >= ?2 AND place < ?3"));
        rows.with(key_of(id), Place::in_chunk(key, 0).number, Place::in_chunk(key + 1, 0).number);
        while (rows.next()) places.push_back(rows.integer(0));
        if (!rows.status().ok()) return rows.status();
      }
      for (const std::int64_t place : places) {
        if (kept.contains(place)) continue;
        const absl::Status status = db_.run("DELETE FROM ids WHERE key = ?1 AND place = ?2", key_of(id), place);
        if (!status.ok()) return status;
      }
    }
    Contents after;
    after.chunked = before->chunked;
    if (absl::Status status = rewrite(key, *before, after, 0); !status.ok()) return status;
  }
  return due.size() == chunks_max;
}

}  // namespace kleptometrics::aggregator::sqlite
