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

Nanos length_of(Resolution resolution) { return resolution == Resolution::kHour ? stats::kHour : stats::kDay; }

// Hours and days are stored as their number since 1970.
std::int64_t number_of(Resolution resolution, Nanos at) {
  if (resolution == Resolution::kAll) return 0;
  const Nanos length = length_of(resolution);
  return at / length - (at % length < 0 ? 1 : 0);
}

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
    key.start = all ? 0 : rows.integer(1) * length_of(from.resolution);
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

absl::StatusOr<std::int64_t> series_key(Connection& db, const std::string& name) {
  Execution found(db.prepare("SELECT key FROM series WHERE name = ?1"));
  const bool there = found.bind_text(1, name).next();
  if (!found.status().ok()) return found.status();
  return there ? found.integer(0) : 0;
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

absl::Status RollupRows::expire(std::int64_t job, const Run& run) {
  for (const stats::Series& series : stats::series_of(run)) {
    const absl::StatusOr<std::int64_t> key = key_of(series);
    if (!key.ok()) return key.status();
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay}) {
      if (!kept_by(resolution, series)) continue;
      const RollupKey at{resolution, *key, job, start_of(run.started_at, resolution)};
      if (absl::Status status = expire_in(at, series, run); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// A rollup of at most two values an outcome: the lowest and the highest.
absl::Status RollupRows::expire_in(const RollupKey& key, const stats::Series& series, const Run& run) {
  absl::StatusOr<stats::Rollup> extremes = read_row(db_, kSelectExpired, key);
  if (!extremes.ok()) return extremes.status();
  stats::Distribution& known = extremes->of(run.state).values;
  stats::Rollup with = *extremes;
  with.measure(run, series);
  const stats::Distribution& all = with.of(run.state).values;
  if (known.count == 2 && all.low == known.low && all.high == known.high) return absl::OkStatus();
  stats::Distribution kept;
  kept.add(all.low);
  if (all.count > 1) kept.add(all.high);
  known = kept;
  const std::string bytes = wire::encode_rollup(*extremes);
  return db_.run(kReplaceExpired, resolution_of(key), key.series, key.job, stored_start(key), std::string_view(bytes));
}

absl::Status RollupRows::store(const RollupKey& key, const stats::Rollup& rollup) {
  if (rollup.empty()) return db_.run(kDelete, resolution_of(key), key.series, key.job, stored_start(key));
  return store(key, wire::encode_rollup(rollup));
}

absl::Status RollupRows::store(const RollupKey& key, std::string_view bytes) {
  return db_.run(kReplace, resolution_of(key), key.series, key.job, stored_start(key), bytes);
}

absl::Status RollupRows::remove(std::int64_t job, const Run& run, bool hour, const Others& others) {
  std::vector<stats::Series> all = stats::series_of(run);
  if (all.empty() || !all.front().durations()) all.insert(all.begin(), stats::Series());  // counts the run
  for (const stats::Series& series : all) {
    const absl::StatusOr<std::int64_t> key = key_of(series);
    if (!key.ok()) return key.status();
    // The finer first: all time finds its extremes among days.
    for (const Resolution resolution : {Resolution::kHour, Resolution::kDay, Resolution::kAll}) {
      if (!kept_by(resolution, series) || (resolution == Resolution::kHour && !hour)) continue;
      const RollupKey at{resolution, *key, job, start_of(run.started_at, resolution)};
      if (absl::Status status = remove_from(at, run, series, others); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status RollupRows::remove_from(const RollupKey& key, const Run& run, const stats::Series& series,
                                     const Others& others) {
  absl::StatusOr<stats::Rollup> rollup = read_rollup(db_, key);
  if (!rollup.ok()) return rollup.status();
  stats::Rollup::Outcome& outcome = rollup->of(run.state);
  if (series.durations()) {
    --outcome.runs;
    if (stats::late(run, stats::kGraceDefault)) --outcome.late;
  }
  const auto amount = amount_of(run, series.measure, series.step);
  if (!amount) return store(key, *rollup);
  const bool extremes_stay = outcome.values.remove({*amount, run.id, run.started_at});
  if (outcome.values.count != 0 && (!extremes_stay || !stats::is_time(series.measure.kind))) {
    const absl::Status status = add_up_again(key, outcome.values, run.state, series, others);
    if (!status.ok()) return status;
  }
  return store(key, *rollup);
}

// What cannot be taken out of a sum: a low or a high, and the moments of numbers, which round. Of an hour or a day from
// its runs, of all time from the days.
absl::Status RollupRows::add_up_again(const RollupKey& key, stats::Distribution& values, State state,
                                      const stats::Series& series, const Others& others) {
  std::vector<stats::Point> points;
  stats::Moments moments;
  absl::Status status;
  std::uint64_t count = 0;
  if (key.resolution == Resolution::kAll) {
    const RollupKey from{Resolution::kDay, key.series, key.job, std::numeric_limits<Nanos>::min()};
    status = read_rollups(db_, from, std::numeric_limits<Nanos>::max(),
                          [&](const RollupKey&, std::string_view bytes) -> absl::Status {
                            const absl::StatusOr<stats::Rollup> day = wire::decode_rollup(bytes);
                            if (!day.ok()) return day.status();
                            const stats::Distribution& its = day->of(state).values;
                            if (its.count == 0) return absl::OkStatus();
                            points.insert(points.end(), {its.low, its.high});
                            moments.merge(count, its.numbers, its.count);
                            count += its.count;
                            return absl::OkStatus();
                          });
  } else {
    const bool hour = key.resolution == Resolution::kHour;
    status = others(key.start, key.start + length_of(key.resolution), hour, [&](const Run& run) {
      if (run.state != state) return;
      const auto amount = amount_of(run, series.measure, series.step);
      if (!amount) return;
      points.push_back({*amount, run.id, run.started_at});
      moments.add(amount->number, count++);
    });
  }
  if (!status.ok()) return status;
  if (key.resolution != Resolution::kAll) {
    const absl::StatusOr<stats::Rollup> expired = read_row(db_, kSelectExpired, key);
    if (!expired.ok()) return expired.status();
    const stats::Distribution& its = expired->of(state).values;
    if (its.count != 0) points.insert(points.end(), {its.low, its.high});
  }
  values.find_extremes(points);
  if (!stats::is_time(series.measure.kind) && count == values.count)
    values.numbers = moments;  // else some have expired
  return status;
}

}  // namespace kleptometrics::aggregator::sqlite
