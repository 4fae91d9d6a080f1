// How runs move from the tail into the tables, and what else is done when there is time for it.
#include <chrono>
#include <future>

#include "aggregator/base/heap.h"
#include "aggregator/base/log.h"
#include "aggregator/store/rules.h"
#include "aggregator/store/sqlite/status.h"
#include "aggregator/store/sqlite/store.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr std::size_t kIdleRuns = 4096;   // so many are settled when nothing else is to be done
constexpr std::size_t kSliceChunks = 16;  // rewritten in one slice of housekeeping
constexpr Nanos kExpiryInterval = 60 * kNanosPerSecond;

}  // namespace

// A transaction of its own where there are new jobs: a thread that only reads cannot make them.
absl::StatusOr<std::vector<JobOfTail>> SqliteStore::jobs_to_settle() {
  auto jobs = settler_.jobs_of(tail_, false);
  if (!jobs.ok()) return jobs.status();
  if (*jobs) return **std::move(jobs);
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) {
    jobs = settler_.jobs_of(tail_, true);
    return jobs.status();
  });
  if (!status.ok()) return status;
  return **std::move(jobs);
}

absl::Status SqliteStore::begin_settling() {
  absl::StatusOr<std::vector<JobOfTail>> jobs = jobs_to_settle();
  if (!jobs.ok()) return jobs.status();
  const absl::StatusOr<std::int64_t> log_end = settler_.log_end();
  if (!log_end.ok()) return log_end.status();
  settling_log_end_ = *log_end;
  {
    const ExclusiveLock exclusive(tail_mutex_);
    std::swap(tail_, settling_);
    tail_.expect(settle_runs_ + settle_runs_ / 4);
  }
  for (JobOfTail& job : *jobs) job.runs = settling_.of_job(std::string(job.name));
  // Without a policy: where no thread is to be had, it is worked out when it is asked for.
  worked_out_ = std::async([this, of = *std::move(jobs)] { return work_out(of, settling_reader_); });
  return absl::OkStatus();
}

bool SqliteStore::worked_out() const {
  return settling() && worked_out_.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
}

absl::Status SqliteStore::finish_settling() {
  if (!settling()) return absl::OkStatus();
  absl::StatusOr<Settlement> settlement = worked_out_.get();
  Tail settled;
  const absl::Status status = write(
      [&]() KLEPTO_REQUIRES(writing_) {
        return settlement.ok() ? settler_.settle(*settlement, settling_, settling_log_end_) : settlement.status();
      },
      [&]() KLEPTO_REQUIRES(writing_) { std::swap(settling_, settled); }, true);
  if (!status.ok()) {
    put_back();
    return status;
  }
  // To let go of so many runs takes a while, and nobody need wait for it.
  disposal_ = std::async([gone = std::move(settled), written = *std::move(settlement)]() mutable { gone.clear(); });
  settle_at_ = settle_runs_;
  expiry_due_ = true;
  grown_ = true;
  return status;
}

void SqliteStore::put_back() {
  const ExclusiveLock exclusive(tail_mutex_);
  for (const auto& [id, recent] : settling_.all()) tail_.put(recent);
  settling_.clear();
  settle_at_ = tail_.size() + settle_runs_ / 4;
}

absl::Status SqliteStore::finish_settling_first() {
  if (!settling()) return absl::OkStatus();
  absl::Status status = writer_.exec("COMMIT");
  if (status.ok()) status = finish_settling();
  const bool put_back = absl::IsUnavailable(status);  // which serves as well
  if (!status.ok() && !put_back) return status;
  return writer_.exec("BEGIN IMMEDIATE");
}

absl::Status SqliteStore::settle_all() {
  absl::Status status = finish_settling();
  if (status.ok() && tail_.size() != 0) status = begin_settling();
  return status.ok() ? finish_settling() : status;
}

// What was committed stays committed where this fails: it is tried again when the tail has grown on.
void SqliteStore::settle_if_due() {
  const bool due = tail_.size() >= settle_at_;
  if (!due && !worked_out()) return;
  absl::Status status = finish_settling();
  if (status.ok() && due) status = begin_settling();
  if (status.ok()) return;
  settle_at_ = tail_.size() + settle_runs_ / 4;
  log_error(within(doing("settle the last commits of"), status).ToString());
}

absl::StatusOr<Maintenance> SqliteStore::maintain(Nanos now, bool idle) {
  Maintenance done;
  const Lock lock(writing_);
  if (absl::Status status = health_.ended(); !status.ok()) return status;
  const bool aged = tail_.size() != 0 && !retained_.empty() && now - tail_.committed_at() >= stats::kDay;
  // What a load leaves in the tail lies between all that it no longer needs, and keeps the memory of that.
  if (aged || (idle && (grown_ || tail_.size() >= kIdleRuns))) {
    if (absl::Status status = settle_all(); !status.ok()) return within(doing("settle the last commits of"), status);
  }
  if (idle || worked_out()) {
    if (absl::Status status = finish_settling(); !status.ok())
      return within(doing("settle the last commits of"), status);
  }
  if (idle && grown_) {
    checkpoint(1);  // readers find their pages sooner without the log
    let_go_of_memory();
  }
  const bool again = expiry_due_ || now < expired_at_ || now - expired_at_ >= kExpiryInterval;
  if (again) {
    const absl::StatusOr<bool> more = expire(now, done);
    if (!more.ok()) return within(doing("expire runs of"), more.status());
    const absl::StatusOr<bool> more_findings = expire_findings(now);
    if (!more_findings.ok()) return within(doing("expire alerts of"), more_findings.status());
    done.more = *more || *more_findings;
    if (!done.more) {
      expired_at_ = now;
      expiry_due_ = false;
    }
  }
  checkpoint();
  return done;
}

// What a load has filled and nobody needs any more.
void SqliteStore::let_go_of_memory() {
  if (disposal_.valid()) disposal_.wait();
  sqlite3_db_release_memory(writer_.raw());
  sqlite3_db_release_memory(settling_reader_.raw());
  readers_.shrink();
  give_memory_back();
  grown_ = false;
}

// One slice: of the first job that has any, else of the ids. True if more may be left. Rollups change, which waits for
// the settling that is under way.
absl::StatusOr<bool> SqliteStore::expire(Nanos now, Maintenance& done) {
  const absl::StatusOr<bool> due = settler_.forget_due(now);
  if (!due.ok()) return due.status();
  if (retained_.empty() && !*due) return false;
  if (absl::Status status = finish_settling(); !status.ok()) return status;
  bool more = false;
  const absl::Status status = write([&]() KLEPTO_REQUIRES(writing_) -> absl::Status {
    absl::StatusOr<bool> left = false;
    for (const auto& [job, spec] : retained_) {
      left = settler_.expire(job, expiry_horizon(spec, now), now + kIdsOutlive, kSliceChunks, done.expired);
      if (!left.ok()) return left.status();
      more = *left || done.expired != 0;
      if (more) return absl::OkStatus();
    }
    left = settler_.forget(now, kSliceChunks);
    if (left.ok()) more = *left;
    return left.status();
  });
  if (!status.ok()) {
    done.expired = 0;
    return status;
  }
  return more;
}

}  // namespace kleptometrics::aggregator::sqlite
