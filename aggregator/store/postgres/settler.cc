#include "aggregator/store/postgres/settler.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/store/postgres/log_rows.h"
#include "aggregator/store/postgres/schema.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

using stats::Resolution;

constexpr std::size_t kRowsAtOnce = 4096;  // of rollups that are held in memory
constexpr std::uint64_t kHourWorth = 32;   // runs of one hour that are worth a rollup of it

constexpr char kTryLock[] = "SELECT pg_try_advisory_xact_lock($1)";
constexpr char kLock[] = "SELECT pg_advisory_xact_lock($1)::text";
constexpr char kWaiting[] =
    "SELECT change, replaced, runs FROM (SELECT change, replaced, runs, sum(count) OVER (ORDER BY change) - count AS"
    " before FROM log WHERE NOT settled) AS waiting WHERE before < $1";
// Without an index: hardly ever asked.
constexpr char kRunsOf[] = "SELECT body FROM runs WHERE change = $1 AND state <> 1";
// Those that were passed on already are of no more use.
constexpr char kMark[] = "UPDATE log SET settled = true WHERE change = ANY($1) AND NOT passed";
constexpr char kDrop[] = "DELETE FROM log WHERE change = ANY($1) AND passed";
constexpr char kJobs[] = "SELECT name, key FROM jobs WHERE name = ANY($1)";
constexpr char kManyIn[] =
    "SELECT h.job, h.start FROM unnest($1::integer[], $2::integer[]) AS h(job, start) WHERE (SELECT count(*) FROM"
    " (SELECT 1 FROM runs WHERE job = h.job AND started_at >= h.start * 3600000000000 AND"
    " started_at < (h.start + 1) * 3600000000000 LIMIT 32) AS few) = 32";
constexpr char kSettledIn[] =
    "SELECT h.job, h.start, r.bytes FROM unnest($1::integer[], $2::integer[]) AS h(job, start) CROSS JOIN LATERAL"
    " (SELECT coalesce(head, body) AS bytes, change FROM runs WHERE job = h.job AND state <> 1 AND"
    " started_at >= h.start * 3600000000000 AND started_at < (h.start + 1) * 3600000000000 OFFSET 0) AS r"
    " WHERE " KLEPTO_SETTLED;

Values hours_of(const std::vector<RollupKey>& hours) {
  Array jobs = Array::int4(), starts = Array::int4();
  for (const RollupKey& hour : hours) {
    jobs.add(hour.job);
    starts.add(stored_start(hour));
  }
  return Values().array(jobs).array(starts);
}

RollupKey hour_of(std::int64_t job, Nanos at) {
  return {Resolution::kHour, kDurations, job, start_of(at, Resolution::kHour)};
}

RollupKey hour_in(const Rows& rows, std::size_t row) {
  return {Resolution::kHour, kDurations, rows.integer(row, 0),
          start_of_number(Resolution::kHour, rows.integer(row, 1))};
}

std::uint64_t runs_in(const stats::Rollup& rollup) {
  std::uint64_t runs = 0;
  for (const stats::Rollup::Outcome& outcome : rollup.outcomes) runs += outcome.runs;
  return runs;
}

}  // namespace

absl::Status Settler::lock() { return db_.query(kLock, Values().int8(kSettleLock)).status(); }

absl::StatusOr<std::size_t> Settler::settle(std::size_t runs_max, bool patient) {
  absl::StatusOr<std::vector<Rows>> begun =
      db_.query_all({{"BEGIN"}, {patient ? kLock : kTryLock, Values().int8(kSettleLock)}});
  absl::StatusOr<std::size_t> settled = std::size_t{0};
  if (!begun.ok()) {
    settled = begun.status();
  } else if (patient || (*begun)[1].integer(0, 0) != 0) {
    settled = settle_locked(runs_max);
  }
  if (settled.ok()) {
    if (absl::Status status = db_.query_all({{kCommit}}).status(); !status.ok()) settled = status;
  }
  if (!settled.ok()) db_.roll_back();
  return settled;
}

absl::StatusOr<std::size_t> Settler::settle_locked(std::size_t runs_max) {
  std::vector<Ended> ended;
  Array changes = Array::int8();
  {
    const absl::StatusOr<Rows> rows = db_.query(kWaiting, Values().int8(static_cast<std::int64_t>(runs_max)));
    if (!rows.ok()) return rows.status();
    for (std::size_t i = 0; i < rows->size(); ++i) {
      changes.add(rows->integer(i, 0));
      const std::size_t before = ended.size();
      absl::Status status = each_ended(
          rows->bytes(i, 2), rows->bytes(i, 1), [](const std::string&, Nanos) { return true; },
          [&](Run&& run) {
            ended.push_back({0, std::move(run)});
          });
      if (!status.ok()) {
        log_error(absl::StrCat("row ", rows->integer(i, 0),
                               " of log is damaged; its runs are looked for: ", status.message()));
        ended.resize(before);
        status = find_runs_of(rows->integer(i, 0), ended);
      }
      if (!status.ok()) return status;
    }
  }
  if (changes.size() == 0) return std::size_t{0};
  absl::Status status = find_jobs(ended);
  if (status.ok()) status = add_up(ended);
  if (status.ok())
    status = db_.query_all({{kMark, Values().array(changes)}, {kDrop, Values().array(changes)}}).status();
  if (!status.ok()) return status;
  return changes.size();
}

// Those that were replaced since came with another row.
absl::Status Settler::find_runs_of(std::int64_t change, std::vector<Ended>& ended) {
  const absl::StatusOr<Rows> rows = db_.query(kRunsOf, Values().int8(change));
  if (!rows.ok()) return rows.status();
  for (std::size_t i = 0; i < rows->size(); ++i) {
    absl::StatusOr<Run> run = wire::decode_run(rows->bytes(i, 0));
    if (run.ok()) ended.push_back({0, *std::move(run)});  // else it is told of where it is read
  }
  return absl::OkStatus();
}

absl::Status Settler::find_jobs(std::vector<Ended>& ended) {
  std::map<std::string, std::int64_t> keys;
  for (const Ended& each : ended) keys.try_emplace(each.run.job, 0);
  Array names = Array::texts();
  for (const auto& [name, key] : keys) names.add(name);
  const absl::StatusOr<Rows> rows = db_.query(kJobs, Values().array(names));
  if (!rows.ok()) return rows.status();
  for (std::size_t i = 0; i < rows->size(); ++i) keys[std::string(rows->bytes(i, 0))] = rows->integer(i, 1);
  if (rows->size() != keys.size()) return absl::DataLossError("a job of runs in log is missing");
  for (Ended& each : ended) each.job = keys.at(each.run.job);
  std::ranges::sort(ended, [](const Ended& a, const Ended& b) {
    return std::tie(a.job, a.run.started_at, a.run.id) < std::tie(b.job, b.run.started_at, b.run.id);
  });
  return absl::OkStatus();
}

absl::Status Settler::add_up(const std::vector<Ended>& ended) {
  RollupSums sums([this](const std::string& name) { return rows_.key_of(name); });
  Rollups changes;
  Hours hours;
  for (std::size_t i = 0; i < ended.size(); ++i) {
    const Ended& each = ended[i];
    if (absl::Status status = sums.add(each.job, each.run, false); !status.ok()) return status;
    hours[hour_of(each.job, each.run.started_at)].push_back(&each.run);
    const bool last_of_job = i + 1 == ended.size() || ended[i + 1].job != each.job;
    if (!last_of_job) continue;
    changes.merge(sums.take());
    if (changes.size() < kRowsAtOnce && i + 1 != ended.size()) continue;
    if (absl::Status status = flush(std::exchange(changes, {}), hours); !status.ok()) return status;
    hours.clear();
  }
  return absl::OkStatus();
}

// Changes of days and all time become rows, and with them those of the hours that have rows or are worth some.
absl::Status Settler::flush(Rollups changes, const Hours& hours) {
  std::vector<RollupKey> keys, days;
  for (const auto& [key, change] : changes) {
    keys.push_back(key);
    if (key.resolution == Resolution::kDay && key.series == kDurations) days.push_back(key);
  }
  absl::StatusOr<Rollups> known = rows_.read_all(keys);
  if (!known.ok()) return known.status();
  for (auto& [key, change] : changes) {
    if (const auto before = known->find(key); before != known->end()) change.merge(before->second);
  }
  const absl::StatusOr<std::vector<RollupKey>> with_rows = rows_.hours_in(days);
  if (!with_rows.ok()) return with_rows.status();
  Rollups rows = std::move(changes);
  const absl::Status status =
      merge_hours(hours, std::set<RollupKey>(with_rows->begin(), with_rows->end()), Rollups(rows), rows, *known);
  return status.ok() ? rows_.write_all(rows, *known) : status;
}

absl::Status Settler::merge_hours(const Hours& hours, const std::set<RollupKey>& with_rows, const Rollups& days,
                                  Rollups& rows, Rollups& known) {
  std::vector<RollupKey> stored, candidates;
  for (const auto& [hour, runs] : hours) {
    if (with_rows.contains(hour)) {
      stored.push_back(hour);
      continue;
    }
    const RollupKey day{Resolution::kDay, kDurations, hour.job, start_of(hour.start, Resolution::kDay)};
    if (const auto its = days.find(day); its != days.end() && runs_in(its->second) >= kHourWorth)
      candidates.push_back(hour);
  }
  absl::StatusOr<Rollups> before = rows_.read_all(stored);
  if (!before.ok()) return before.status();
  const absl::StatusOr<std::set<RollupKey>> worth = many_in(candidates);
  if (!worth.ok()) return worth.status();
  if (absl::Status status = add_settled(*worth, rows); !status.ok()) return status;
  const auto add = [&](const RollupKey& hour) {
    for (const Run* run : hours.at(hour)) rows[hour].add(*run, {});
  };
  for (const RollupKey& hour : *worth) add(hour);
  for (auto& [hour, rollup] : *before) {
    rows[hour] = rollup;
    add(hour);
    known[hour] = std::move(rollup);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<RollupKey>> Settler::many_in(const std::vector<RollupKey>& hours) {
  std::set<RollupKey> many;
  if (hours.empty()) return many;
  const absl::StatusOr<Rows> rows = db_.query(kManyIn, hours_of(hours));
  if (!rows.ok()) return rows.status();
  for (std::size_t i = 0; i < rows->size(); ++i) many.insert(hour_in(*rows, i));
  return many;
}

absl::Status Settler::add_settled(const std::set<RollupKey>& hours, Rollups& rows) {
  if (hours.empty()) return absl::OkStatus();
  const absl::StatusOr<Rows> found = db_.query(kSettledIn, hours_of({hours.begin(), hours.end()}));
  if (!found.ok()) return found.status();
  for (std::size_t i = 0; i < found->size(); ++i) {
    const absl::StatusOr<Run> run = wire::decode_run(found->bytes(i, 2));
    if (!run.ok()) continue;  // told of where it is read
    rows[hour_in(*found, i)].add(*run, {});
  }
  return absl::OkStatus();
}

}  // namespace kleptometrics::aggregator::postgres
