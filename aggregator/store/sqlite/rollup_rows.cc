#include "aggregator/store/sqlite/rollup_rows.h"

#include <limits>

#include "aggregator/store/sqlite/status.h"
#include "aggregator/wire/rollups.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

using stats::Resolution;

constexpr char kSelectRow[] = "SELECT bytes FROM rollups WHERE resolution=?1 AND series=?2 AND job=?3 AND start=?4";
constexpr char kSelectJob[] =
    "SELECT job, start, bytes FROM rollups WHERE resolution=?1 AND series=?2 AND job=?3 AND start>=?4 AND start<?5";
constexpr char kSelectAll[] =
    "SELECT job, start, bytes FROM rollups WHERE resolution=?1 AND series=?2 AND start>=?3 AND start<?4";
constexpr char kReplace[] =
    "INSERT OR REPLACE INTO rollups(resolution, series, job, start, bytes) VALUES(?1,?2,?3,?4,?5)";
constexpr char kSelectExpired[] = "SELECT bytes FROM expired WHERE resolution=?1 AND series=?2 AND job=?3 AND start=?4";
constexpr char kReplaceExpired[] =
    "INSERT OR REPLACE INTO expired(resolution, series, job, start, bytes) VALUES(?1,?2,?3,?4,?5)";
constexpr char kDelete[] = "DELETE FROM rollups WHERE resolution=?1 AND series=?2 AND job=?3 AND start=?4";

std::int64_t stored_start(const RollupKey& key) { return number_of(key.resolution, key.start); }

std::int64_t resolution_of(const RollupKey& key) { return static_cast<std::int64_t>(key.resolution); }

}  // namespace

absl::Status read_rollups(Connection& db, const RollupKey& from, Nanos until,
                          absl::FunctionRef<absl::Status(const RollupKey&, std::string_view bytes)> visit) {
  const bool all = from.resolution == Resolution::kAll;
  const std::int64_t first = all ? 0 : number_of(from.resolution, from.start);
  const std::int64_t end = all ? 1 : number_of(from.resolution, until);
  Execution rows(db.prepare(from.job == 0 ? kSelectAll : kSelectJob));
  if (from.job == 0) {
    rows.with(resolution_of(from), from.series, first, end);
  } else {
    rows.with(resolution_of(from), from.series, from.job, first, end);
  }
  RollupKey key = from;
  while (rows.next()) {
    key.job = rows.integer(0);
    key.start = start_of_number(from.resolution, rows.integer(1));
    if (absl::Status status = visit(key, rows.blob(2)); !status.ok()) return status;
  }
  return rows.status();
}

namespace {

absl::StatusOr<stats::Rollup> read_row(Connection& db, const char* select, const RollupKey& key) {
  Execution row(db.prepare(select));
  if (row.with(resolution_of(key), key.series, key.job, stored_start(key)).next())
    return wire::decode_rollup(row.blob(0));
  if (!row.status().ok()) return row.status();
  return stats::Rollup();
}

}  // namespace

absl::StatusOr<stats::Rollup> read_rollup(Connection& db, const RollupKey& key) {
  if (key.series <= 0) return stats::Rollup();
  return read_row(db, kSelectRow, key);
}

namespace {

// 0: unknown.
absl::StatusOr<std::int64_t> series_key(Connection& db, const std::string& name) {
  Execution found(db.prepare("SELECT key FROM series WHERE name = ?1"));
  const bool there = found.bind_text(1, name).next();
  if (!found.status().ok()) return found.status();
  return there ? found.integer(0) : 0;
}

}  // namespace

absl::StatusOr<std::int64_t> SeriesKeys::key_of(const std::string& name) {
  const absl::StatusOr<std::int64_t> found = series_key(db_, name);
  if (!found.ok() || *found != 0) return found;
  new_.push_back(name);
  return -static_cast<std::int64_t>(new_.size());
}

absl::Status work_out(Connection& db, RollupSums& sums, std::vector<RollupRow>& rows) {
  for (const auto& [key, change] : sums.take()) {
    absl::StatusOr<stats::Rollup> rollup = read_rollup(db, key);
    if (!rollup.ok()) return rollup.status();
    rollup->merge(change);
    rows.push_back({key, wire::encode_rollup(*rollup)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> RollupRows::key_of(const stats::Series& series) {
  if (series.durations()) return kDurations;
  return key_of(text_of(series));
}

absl::StatusOr<std::int64_t> RollupRows::key_of(const std::string& name) {
  if (const auto known = series_.find(name); known != series_.end()) return known->second;
  const absl::StatusOr<std::int64_t> found = series_key(db_, name);
  if (!found.ok()) return found;
  if (*found != 0) return series_[name] = *found;
  Execution made(db_.prepare("INSERT INTO series(name) VALUES(?1)"));
  if (absl::Status status = made.bind_text(1, name).run(); !status.ok()) return status;
  return series_[name] = sqlite3_last_insert_rowid(db_.raw());
}

absl::Status RollupRows::write(std::vector<RollupRow>& rows, const std::vector<std::string>& new_series) {
  std::vector<std::int64_t> keys;
  for (const std::string& name : new_series) {
    const absl::StatusOr<std::int64_t> key = key_of(name);
    if (!key.ok()) return key.status();
    keys.push_back(*key);
  }
  for (RollupRow& row : rows) {
    if (row.key.series < 0) row.key.series = keys[static_cast<std::size_t>(-row.key.series) - 1];
    if (absl::Status status = store(row.key, row.bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<stats::Rollup> RollupRows::read_expired(const RollupKey& key) {
  return read_row(db_, kSelectExpired, key);
}

absl::Status RollupRows::store_expired(const RollupKey& key, const stats::Rollup& rollup) {
  const std::string bytes = wire::encode_rollup(rollup);
  return db_.run(kReplaceExpired, resolution_of(key), key.series, key.job, stored_start(key), std::string_view(bytes));
}

absl::Status RollupRows::each_day(std::int64_t job, std::int64_t series,
                                  absl::FunctionRef<void(const stats::Rollup&)> visit) {
  const RollupKey from{Resolution::kDay, series, job, std::numeric_limits<Nanos>::min()};
  return read_rollups(db_, from, std::numeric_limits<Nanos>::max(),
                      [&](const RollupKey&, std::string_view bytes) -> absl::Status {
                        const absl::StatusOr<stats::Rollup> day = wire::decode_rollup(bytes);
                        if (day.ok()) visit(*day);
                        return day.status();
                      });
}

absl::Status RollupRows::store(const RollupKey& key, const stats::Rollup& rollup) {
  if (rollup.empty()) return db_.run(kDelete, resolution_of(key), key.series, key.job, stored_start(key));
  return store(key, wire::encode_rollup(rollup));
}

absl::Status RollupRows::store(const RollupKey& key, std::string_view bytes) {
  return db_.run(kReplace, resolution_of(key), key.series, key.job, stored_start(key), bytes);
}

}  // namespace kleptometrics::aggregator::sqlite
