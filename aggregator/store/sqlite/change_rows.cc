#include "aggregator/store/sqlite/change_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/wire/chunk.h"
#include "aggregator/wire/job_spec.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::size_t kRowRuns = 4096;
constexpr std::size_t kBytesMax = 8U << 20U;  // of rows that are read at once, beyond whole commits

absl::Status add_runs(std::string_view bytes, std::vector<Change>& items) {
  const absl::StatusOr<wire::ChunkReader> in = wire::ChunkReader::open(bytes);
  if (!in.ok()) return in.status();
  for (std::size_t at = 0; at < in->size(); ++at) {
    absl::StatusOr<Run> run = in->run(at);
    if (!run.ok()) return run.status();
    std::string job = run->job;
    items.push_back({.job = std::move(job), .run = *std::move(run)});
  }
  return absl::OkStatus();
}

absl::Status add_spec(std::string_view job, std::string_view bytes, std::vector<Change>& items) {
  absl::StatusOr<JobSpec> spec = wire::decode_job_spec(bytes);
  if (!spec.ok()) return spec.status();
  items.push_back({.job = std::string(job), .spec = *std::move(spec)});
  return absl::OkStatus();
}

// The row is there, or status() of the reading is not OK.
void read_row(const Execution& row, Settled::Damage damage, Changes& changes) {
  const std::size_t before = changes.items.size();
  const absl::Status status =
      row.null(2) ? add_runs(row.blob(3), changes.items) : add_spec(row.text(2), row.blob(3), changes.items);
  changes.upto = absl::StrCat(row.integer(0));
  if (status.ok()) return;
  changes.items.resize(before);
  damage(absl::StrCat("row ", changes.upto, " of the changes"), status);
}

}  // namespace

absl::Status write_change(Connection& db, const ChangeRow& row) {
  if (!row.job.empty()) {
    Execution spec(db.prepare("INSERT INTO changes(items, ends, job, bytes) VALUES(1, 1, ?1, ?2)"));
    return spec.bind_text(1, row.job).bind_blob(2, row.bytes).run();
  }
  return db.run("INSERT INTO changes(items, ends, bytes) VALUES(?1, ?2, ?3)", static_cast<std::int64_t>(row.items),
                std::int64_t{row.ends}, row.bytes);
}

absl::Status write_changes(Connection& db, const std::vector<Run>& runs) {
  for (std::size_t first = 0; first < runs.size(); first += kRowRuns) {
    const std::size_t end = std::min(first + kRowRuns, runs.size());
    std::vector<wire::Chunked> chunked;
    for (std::size_t i = first; i < end; ++i)
      chunked.push_back({.run = &runs[i], .slot = static_cast<std::uint32_t>(i - first)});
    const std::string bytes = wire::encode_chunk(chunked, {});
    const ChangeRow row{.items = chunked.size(), .ends = true, .bytes = bytes};
    if (absl::Status status = write_change(db, row); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> drop_changes(Connection& db, std::int64_t upto) {
  std::int64_t items = 0;
  {
    Execution sum(db.prepare("SELECT coalesce(sum(items), 0) FROM changes WHERE key <= ?1"));
    if (!sum.with(upto).next()) return sum.status();
    items = sum.integer(0);
  }
  if (absl::Status status = db.run("DELETE FROM changes WHERE key <= ?1", upto); !status.ok()) return status;
  return static_cast<std::uint64_t>(items);
}

absl::StatusOr<std::uint64_t> count_changes(Connection& db) {
  Execution sum(db.prepare("SELECT coalesce(sum(items), 0) FROM changes"));
  if (!sum.next()) return sum.status();
  return static_cast<std::uint64_t>(sum.integer(0));
}

absl::StatusOr<Changes> read_changes(Connection& db, std::size_t limit, Settled::Damage damage) {
  Changes changes;
  std::size_t bytes = 0;
  bool whole = true;  // so far, commits are
  Execution rows(db.prepare("SELECT key, ends, job, bytes FROM changes ORDER BY key"));
  while (rows.next()) {
    changes.more = whole && !changes.items.empty() && (changes.items.size() >= limit || bytes >= kBytesMax);
    if (changes.more) return changes;
    whole = rows.integer(1) != 0;
    bytes += rows.blob(3).size();
    read_row(rows, damage, changes);
  }
  if (!rows.status().ok()) return rows.status();
  return changes;
}

}  // namespace kleptometrics::aggregator::sqlite
