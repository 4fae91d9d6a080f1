// Settling and housekeeping: what is done when there is time for it, by one process at a time.
#include <algorithm>
#include <chrono>

#include "aggregator/base/log.h"
#include "aggregator/store/postgres/finding_rows.h"
#include "aggregator/store/postgres/settler.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"
#include "aggregator/store/rules.h"
#include "aggregator/wire/job_spec.h"

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr std::size_t kSliceRuns = 1000;      // removed in one slice of housekeeping
constexpr std::size_t kSliceFindings = 1000;  // likewise
constexpr std::size_t kSliceIds = 10'000;     // forgotten in one
constexpr Nanos kHouseInterval = 60 * kNanosPerSecond;
constexpr auto kSoon = std::chrono::seconds(1);    // what was committed here is settled
constexpr auto kLater = std::chrono::seconds(20);  // likewise by another process that may be gone

constexpr char kRetaining[] = "SELECT key, spec FROM jobs WHERE retention_days > 0 ORDER BY key";
constexpr char kForget[] = "DELETE FROM gone WHERE id IN (SELECT id FROM gone WHERE until <= $1 LIMIT $2)";
constexpr char kDropOld[] = "DELETE FROM log WHERE settled AND committed_at < clock_timestamp() - interval '1 day'";

}  // namespace

void PostgresStore::leave_out(std::string_view what, const absl::Status& why) {
  if (!damaged_rows_.first_sight(what)) return;
  log_error(absl::StrCat(absl_view(what), " is left out of answers: ", within(doing("read"), why).message()));
}

void PostgresStore::note_unsettled(std::size_t runs) {
  if (runs == 0) return;
  bool due = false;
  {
    const Lock lock(state_mutex_);
    const bool first = unsettled_ == 0;
    unsettled_ += runs;
    due = unsettled_ >= options_.settle_runs;
    if (!options_.settle_at_once) {
      if (first || due) state_changed_.notify_all();
      return;
    }
    if (due) unsettled_ = 0;
  }
  if (!due) return;
  const auto done = read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    const absl::Status status = settle_all(db);
    if (!status.ok()) return status;
    return true;
  });
  if (!done.ok()) log_error(done.status().ToString());  // what was committed stays so
}

absl::Status PostgresStore::settle_all(Connection& db) {
  for (;;) {
    const absl::StatusOr<std::size_t> settled = Settler(db).settle(options_.settle_runs, true);
    if (!settled.ok() && !in_the_way(settled.status())) return settled.status();
    if (settled.ok() && *settled == 0) return absl::OkStatus();
  }
}

// Waits until there is much, or has been some for a while.
void PostgresStore::settle_by_and_by() {
  for (;;) {
    {
      const Lock lock(state_mutex_);
      const Nanos begin = system_steady();
      while (!stopping_ && unsettled_ < options_.settle_runs) {
        const Nanos patience = std::chrono::nanoseconds(unsettled_ == 0 ? kLater : kSoon).count();
        const Nanos left = begin + patience - system_steady();
        if (left <= 0) break;
        state_changed_.wait_for(state_mutex_, std::chrono::nanoseconds(left));
      }
      if (stopping_) return;
      unsettled_ = 0;
    }
    settle_some();
  }
}

// Until nothing waits or somebody else is at it. What fails is tried again by and by.
void PostgresStore::settle_some() {
  const auto stopping = [this] {
    const Lock lock(state_mutex_);
    return stopping_;
  };
  const auto done = read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    while (!stopping()) {
      const absl::StatusOr<std::size_t> settled = Settler(db).settle(options_.settle_runs, false);
      if (!settled.ok()) return settled.status();
      if (*settled == 0) break;
    }
    return true;
  });
  if (done.ok()) return;
  if (!absl::IsUnavailable(done.status())) log_error(within("settle", done.status()).ToString());
  const Lock lock(state_mutex_);
  unsettled_ = std::max<std::size_t>(unsettled_, 1);
}

absl::StatusOr<Maintenance> PostgresStore::maintain(Nanos now, bool idle) {
  Maintenance done;
  bool due = false;
  {
    const Lock lock(writing_);
    due = house_due_ || (idle && written_) || now < kept_house_at_ || now - kept_house_at_ >= kHouseInterval;
  }
  bool settle = false;
  if (options_.settle_at_once && idle) {
    const Lock lock(state_mutex_);
    settle = std::exchange(unsettled_, 0) != 0;
  }
  if (!due && !settle) return done;
  const auto kept = read<bool>([&](Connection& db) -> absl::StatusOr<bool> {
    if (settle) {
      if (absl::Status status = settle_all(db); !status.ok()) return status;
    }
    return due ? expire(db, now, done) : absl::StatusOr<bool>(false);
  });
  if (!kept.ok()) return kept.status();
  done.more = *kept;
  const Lock lock(writing_);
  if (due && !done.more) {
    kept_house_at_ = now;
    house_due_ = written_ = false;
  }
  return done;
}

// One slice. True if more may be left.
absl::StatusOr<bool> PostgresStore::expire(Connection& db, Nanos now, Maintenance& done) {
  const absl::StatusOr<std::vector<Rows>> first = db.query_all(
      {{kForget, Values().int8(now).int8(static_cast<std::int64_t>(kSliceIds))}, {kDropOld}, {kRetaining}});
  if (!first.ok()) return first.status();
  const absl::StatusOr<std::size_t> findings = expire_findings(db, now - kFindingsKept, kSliceFindings);
  if (!findings.ok()) return findings.status();
  const bool more = (*first)[0].affected() == kSliceIds || *findings == kSliceFindings;
  const Rows& jobs = (*first)[2];
  if (jobs.empty()) return more;
  if (absl::Status status = settle_all(db); !status.ok()) return status;
  Settler settler(db);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const absl::StatusOr<JobSpec> spec = wire::decode_job_spec(jobs.bytes(i, 1));
    if (!spec.ok()) continue;
    absl::Status status = db.query("BEGIN").status();
    if (status.ok()) status = settler.lock();
    if (!status.ok()) return status;
    const absl::StatusOr<std::size_t> expired =
        settler.expire(jobs.integer(i, 0), expiry_horizon(*spec, now), now + kIdsOutlive, kSliceRuns);
    if (!expired.ok()) return expired.status();
    status = db.query_all({{kCommit}}).status();
    if (!status.ok()) return status;
    done.expired += *expired;
    if (*expired != 0) return true;
  }
  return more;
}

}  // namespace kleptometrics::aggregator::postgres
