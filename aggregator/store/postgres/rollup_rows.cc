#include "aggregator/store/postgres/rollup_rows.h"

#include <utility>

#include "aggregator/wire/rollups.h"

namespace kleptometrics::aggregator::postgres {
namespace {

using stats::Resolution;

constexpr char kReadOne[] =
    "SELECT bytes FROM rollups WHERE resolution = $1 AND series = $2 AND job = $3 AND start = $4";
constexpr char kReadAll[] =
    "SELECT resolution, series, job, start, bytes FROM unnest($1::smallint[], $2::integer[], $3::integer[],"
    " $4::integer[]) AS k(resolution, series, job, start) JOIN rollups USING (resolution, series, job, start)";
constexpr char kHoursIn[] =
    "SELECT r.job, r.start FROM unnest($1::integer[], $2::integer[]) AS k(job, day) JOIN rollups r ON r.resolution = 0"
    " AND r.series = 1 AND r.job = k.job AND r.start >= k.day * 24 AND r.start < k.day * 24 + 24";
constexpr char kInsert[] =
    "INSERT INTO rollups(resolution, series, job, start, bytes) SELECT * FROM unnest($1::smallint[], $2::integer[],"
    " $3::integer[], $4::integer[], $5::bytea[])";
constexpr char kUpdate[] =
    "UPDATE rollups r SET bytes = k.bytes FROM unnest($1::smallint[], $2::integer[], $3::integer[], $4::integer[],"
    " $5::bytea[]) AS k(resolution, series, job, start, bytes) WHERE r.resolution = k.resolution AND"
    " r.series = k.series AND r.job = k.job AND r.start = k.start";
constexpr char kPutOne[] =
    "INSERT INTO rollups(resolution, series, job, start, bytes) VALUES($1, $2, $3, $4, $5)"
    " ON CONFLICT (resolution, series, job, start) DO UPDATE SET bytes = EXCLUDED.bytes";
constexpr char kDeleteOne[] = "DELETE FROM rollups WHERE resolution = $1 AND series = $2 AND job = $3 AND start = $4";
constexpr char kReadExpired[] =
    "SELECT bytes FROM expired WHERE resolution = $1 AND series = $2 AND job = $3 AND start = $4";
constexpr char kPutExpired[] =
    "INSERT INTO expired(resolution, series, job, start, bytes) SELECT * FROM unnest($1::smallint[], $2::integer[],"
    " $3::integer[], $4::integer[], $5::bytea[])"
    " ON CONFLICT (resolution, series, job, start) DO UPDATE SET bytes = EXCLUDED.bytes";
constexpr char kReadDays[] = "SELECT bytes FROM rollups WHERE resolution = 1 AND series = $1 AND job = $2";

// Keys, column by column.
class Keys {
 public:
  void add(const RollupKey& key) {
    resolutions_.add(stored_resolution(key.resolution));
    series_.add(key.series);
    jobs_.add(key.job);
    starts_.add(stored_start(key));
  }
  bool empty() const { return jobs_.size() == 0; }
  Values values() const { return Values().array(resolutions_).array(series_).array(jobs_).array(starts_); }

 private:
  Array resolutions_ = Array::int2(), series_ = Array::int4(), jobs_ = Array::int4(), starts_ = Array::int4();
};

struct KeyedRows {
  Keys keys;
  Array bytes = Array::byteas();
  Values values() const { return keys.values().array(bytes); }
};

Values values_of(const RollupKey& key) {
  return Values().int2(stored_resolution(key.resolution)).int4(key.series).int4(key.job).int4(stored_start(key));
}

absl::StatusOr<stats::Rollup> decoded(const absl::StatusOr<Rows>& row) {
  if (!row.ok()) return row.status();
  return row->empty() ? stats::Rollup() : wire::decode_rollup(row->bytes(0, 0));
}

}  // namespace

absl::StatusOr<std::int64_t> RollupRows::key_of(const stats::Series& series) {
  if (series.durations()) return kDurations;
  return key_of(text_of(series));
}

// Nobody else makes any meanwhile.
absl::StatusOr<std::int64_t> RollupRows::key_of(const std::string& name) {
  if (!series_read_) {
    const absl::StatusOr<Rows> rows = db_.query("SELECT name, key FROM series");
    if (!rows.ok()) return rows.status();
    for (std::size_t i = 0; i < rows->size(); ++i) series_[std::string(rows->bytes(i, 0))] = rows->integer(i, 1);
    series_read_ = true;
  }
  if (const auto known = series_.find(name); known != series_.end()) return known->second;
  const absl::StatusOr<Rows> made = db_.query("INSERT INTO series(name) VALUES($1) RETURNING key", Values().text(name));
  if (!made.ok()) return made.status();
  return series_[name] = made->integer(0, 0);
}

absl::StatusOr<Rollups> RollupRows::read_all(const std::vector<RollupKey>& keys) {
  Rollups found;
  if (keys.empty()) return found;
  Keys wanted;
  for (const RollupKey& key : keys) wanted.add(key);
  const absl::StatusOr<Rows> rows = db_.query(kReadAll, wanted.values());
  if (!rows.ok()) return rows.status();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto resolution = static_cast<Resolution>(rows->integer(i, 0));
    const RollupKey key{resolution, rows->integer(i, 1), rows->integer(i, 2),
                        start_of_number(resolution, rows->integer(i, 3))};
    absl::StatusOr<stats::Rollup> rollup = wire::decode_rollup(rows->bytes(i, 4));
    if (!rollup.ok()) return rollup.status();
    found.emplace(key, *std::move(rollup));
  }
  return found;
}

absl::StatusOr<std::vector<RollupKey>> RollupRows::hours_in(const std::vector<RollupKey>& days) {
  Array jobs = Array::int4(), numbers = Array::int4();
  for (const RollupKey& day : days) {
    jobs.add(day.job);
    numbers.add(stored_start(day));
  }
  const absl::StatusOr<Rows> rows = db_.query(kHoursIn, Values().array(jobs).array(numbers));
  if (!rows.ok()) return rows.status();
  std::vector<RollupKey> hours;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    hours.push_back(
        {Resolution::kHour, kDurations, rows->integer(i, 0), start_of_number(Resolution::kHour, rows->integer(i, 1))});
  }
  return hours;
}

absl::Status RollupRows::write_all(const Rollups& rows, const Rollups& known) {
  KeyedRows fresh, changed;
  for (const auto& [key, rollup] : rows) {
    KeyedRows& to = known.contains(key) ? changed : fresh;
    to.keys.add(key);
    to.bytes.add(wire::encode_rollup(rollup));
  }
  std::vector<Statement> statements;
  if (!changed.keys.empty()) statements.push_back({kUpdate, changed.values()});
  if (!fresh.keys.empty()) statements.push_back({kInsert, fresh.values()});
  return db_.query_all(statements).status();
}

absl::StatusOr<stats::Rollup> RollupRows::read(const RollupKey& key) {
  return decoded(db_.query(kReadOne, values_of(key)));
}

absl::Status RollupRows::store(const RollupKey& key, const stats::Rollup& rollup) {
  if (rollup.empty()) return db_.query(kDeleteOne, values_of(key)).status();
  return db_.query(kPutOne, values_of(key).bytea(wire::encode_rollup(rollup))).status();
}

absl::StatusOr<stats::Rollup> RollupRows::read_expired(const RollupKey& key) {
  if (const auto known = expired_.find(key); known != expired_.end()) return known->second;
  absl::StatusOr<stats::Rollup> rollup = decoded(db_.query(kReadExpired, values_of(key)));
  if (rollup.ok()) expired_[key] = *rollup;
  return rollup;
}

absl::Status RollupRows::store_expired(const RollupKey& key, const stats::Rollup& rollup) {
  expired_[key] = rollup;
  unwritten_.insert(key);
  return absl::OkStatus();
}

absl::Status RollupRows::write_expired() {
  KeyedRows rows;
  for (const RollupKey& key : unwritten_) {
    rows.keys.add(key);
    rows.bytes.add(wire::encode_rollup(expired_.at(key)));
  }
  expired_.clear();
  unwritten_.clear();
  return rows.keys.empty() ? absl::OkStatus() : db_.query(kPutExpired, rows.values()).status();
}

absl::Status RollupRows::each_day(std::int64_t job, std::int64_t series,
                                  absl::FunctionRef<void(const stats::Rollup&)> visit) {
  const absl::StatusOr<Rows> rows = db_.query(kReadDays, Values().int4(series).int4(job));
  if (!rows.ok()) return rows.status();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const absl::StatusOr<stats::Rollup> day = wire::decode_rollup(rows->bytes(i, 0));
    if (!day.ok()) return day.status();
    visit(*day);
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::postgres
