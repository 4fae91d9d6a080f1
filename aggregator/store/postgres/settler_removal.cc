// How runs leave the rollups, or leave them behind.
#include <algorithm>
#include <limits>

#include "aggregator/store/postgres/settler.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator::postgres {
namespace {

using stats::Resolution;

constexpr char kOthers[] =
    "SELECT body FROM runs r WHERE job = $1 AND started_at >= $2 AND started_at < $3 AND state <> 1"
    " AND " KLEPTO_SETTLED;
// Those that somebody is changing are left for the next time.
constexpr char kExpiring[] =
    "SELECT id, body FROM runs r WHERE job = $1 AND started_at < $2 AND kept_since < $2 AND state <> 1"
    " AND " KLEPTO_SETTLED " ORDER BY started_at, id LIMIT $3 FOR UPDATE OF r SKIP LOCKED";
constexpr char kForgetLater[] =
    "INSERT INTO gone(id, until) SELECT id, $2 FROM unnest($1::uuid[]) AS id ON CONFLICT (id) DO UPDATE SET"
    " until = greatest(gone.until, EXCLUDED.until)";
constexpr char kDeleteRuns[] = "DELETE FROM runs WHERE id = ANY($1)";
constexpr char kCompleteSince[] = "UPDATE jobs SET complete_since = greatest(complete_since, $2) WHERE key = $1";

// The runs of the job in a stretch of time: one stretch is asked for by many series, one after the other.
class OtherRuns {
 public:
  OtherRuns(Connection& db, std::int64_t job) : db_(db), job_(job) {}

  absl::Status each(Nanos since, Nanos until, absl::FunctionRef<void(const Run&)> visit) {
    if (since != since_ || until != until_) {
      runs_.clear();
      const absl::StatusOr<Rows> rows = db_.query(kOthers, Values().int4(job_).int8(since).int8(until));
      if (!rows.ok()) return rows.status();
      for (std::size_t i = 0; i < rows->size(); ++i) {
        absl::StatusOr<Run> run = wire::decode_run(rows->bytes(i, 0));
        if (run.ok()) runs_.push_back(*std::move(run));
      }
      since_ = since;
      until_ = until;
    }
    for (const Run& run : runs_) visit(run);
    return absl::OkStatus();
  }

 private:
  Connection& db_;
  const std::int64_t job_;
  Nanos since_ = 0, until_ = 0;
  std::vector<Run> runs_;
};

}  // namespace

// One by one: those behind are still counted, though their rows are not what is counted any more.
absl::Status Settler::withdraw(const std::vector<Counted>& runs) {
  for (std::size_t at = 0; at < runs.size(); ++at) {
    const auto& [job, run] = runs[at];
    const RollupKey hour{Resolution::kHour, kDurations, job, start_of(run->started_at, Resolution::kHour)};
    const absl::StatusOr<Rollups> in_hour = rows_.read_all({hour});
    if (!in_hour.ok()) return in_hour.status();
    OtherRuns others(db_, job);
    const auto each_other = [&](Nanos since, Nanos until, bool, absl::FunctionRef<void(const Run&)> visit) {
      for (std::size_t i = at + 1; i < runs.size(); ++i) {
        const Run& later = *runs[i].run;
        if (runs[i].job == runs[at].job && later.started_at >= since && later.started_at < until) visit(later);
      }
      return others.each(since, until, visit);
    };
    const absl::Status status = rows_.remove(job, *run, !in_hour->empty(), each_other);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Hours that lose a run must have rows, which then hold all of them.
absl::Status Settler::keep_hours_of(const std::vector<Ended>& expiring) {
  std::set<RollupKey> hours, days;
  for (const Ended& each : expiring) {
    hours.insert({Resolution::kHour, kDurations, each.job, start_of(each.run.started_at, Resolution::kHour)});
    days.insert({Resolution::kDay, kDurations, each.job, start_of(each.run.started_at, Resolution::kDay)});
  }
  const absl::StatusOr<std::vector<RollupKey>> there = rows_.hours_in({days.begin(), days.end()});
  if (!there.ok()) return there.status();
  for (const RollupKey& hour : *there) hours.erase(hour);
  Rollups rows;
  if (absl::Status status = add_settled(hours, rows); !status.ok()) return status;
  return rows_.write_all(rows, {});
}

absl::StatusOr<std::size_t> Settler::expire(std::int64_t job, Nanos horizon, Nanos forget_at, std::size_t runs_max) {
  const absl::StatusOr<Rows> found =
      db_.query(kExpiring, Values().int4(job).int8(horizon).int8(static_cast<std::int64_t>(runs_max)));
  if (!found.ok() || found->empty()) return found.ok() ? absl::StatusOr<std::size_t>(0) : found.status();
  std::vector<Ended> expiring;
  Array ids = Array::uuids();
  Nanos complete_since = std::numeric_limits<Nanos>::min();
  for (std::size_t i = 0; i < found->size(); ++i) {
    ids.add(found->uuid(i, 0));
    absl::StatusOr<Run> run = wire::decode_run(found->bytes(i, 1));
    if (!run.ok()) continue;
    complete_since = std::max(complete_since, run->started_at + 1);
    expiring.push_back({job, *std::move(run)});
  }
  absl::Status status = keep_hours_of(expiring);
  for (std::size_t i = 0; i < expiring.size() && status.ok(); ++i) status = rows_.expire(job, expiring[i].run);
  if (status.ok()) status = rows_.write_expired();
  if (status.ok()) {
    status = db_.query_all({{kForgetLater, Values().array(ids).int8(forget_at)},
                            {kDeleteRuns, Values().array(ids)},
                            {kCompleteSince, Values().int4(job).int8(complete_since)}})
                 .status();
  }
  if (!status.ok()) return status;
  return found->size();
}

}  // namespace kleptometrics::aggregator::postgres
