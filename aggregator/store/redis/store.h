// The store that keeps its runs in Redis: Store's contract (aggregator/store/store.h) in Redis's terms, see README.md.
// Any thread may call anything.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/redis/keys.h"
#include "aggregator/store/redis/pool.h"
#include "aggregator/store/redis/url.h"
#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::redis {

class RedisStore final : public Store {
 public:
  explicit RedisStore(Url url) : keys_(url.prefix), dialer_(std::move(url)), pool_(dialer_), writer_(dialer_) {}

  // Once, before all else: see open_redis().
  absl::Status start(bool must_exist);

  absl::StatusOr<std::vector<Applied>> commit(std::vector<Run> runs, Nanos now,
                                              const std::vector<Basis>& bases = {}) override;
  absl::Status put_job(const std::string& name, const JobSpec& spec) override;
  absl::Status record(const Findings& findings) override;
  absl::StatusOr<Maintenance> maintain(Nanos now, bool idle) override;
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override;
  absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) override;
  absl::Status summarize(const SummaryRequest& request, Pieces& pieces) override;
  absl::StatusOr<std::vector<JobHead>> jobs(const std::string& name) override;
  absl::StatusOr<Nanos> complete_since(const std::string& job) override;
  absl::StatusOr<DelayPage> delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit) override;
  absl::StatusOr<AlertPage> alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                   std::size_t limit) override;
  absl::StatusOr<std::optional<Alert>> alert(const Uuid& id) override;
  absl::StatusOr<DelayCounts> delay_counts(const DelayFilter& filter) override;
  absl::StatusOr<AlertCounts> alert_counts(const AlertFilter& filter) override;
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> watch_states() override;
  absl::Status ready() override;
  absl::StatusOr<std::vector<std::string>> verify(std::size_t differences_max) override;
  bool shared() const override { return true; }
  absl::StatusOr<bool> hold(const std::string& duty, const std::string& holder, Nanos length) override;
  absl::Status keep_changes() override { return absl::OkStatus(); }
  absl::StatusOr<Changes> changes(std::size_t limit) override;
  absl::Status drop_changes(const std::string& upto) override;

 private:
  // "read redis://host:6379/0: " before what went wrong.
  absl::Status within(const char* doing, const absl::Status& status) const;
  absl::StatusOr<std::vector<std::string>> job_names();
  // One line in the log where the settings of the server, if it lets us see them, promise less than we do.
  void warn_of_server() KLEPTO_REQUIRES(keeping_);
  // Hands over what is selected, newest first, from behind `after`, until the visitor says false. So many are looked
  // at in one step of the server: what is seen of those is consistent.
  using Visit = absl::FunctionRef<bool(Run&&)>;
  absl::Status walk(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t at_once, Visit visit);
  void leave_out(const absl::Status& why);
  // One slice each; true if more may be left.
  absl::StatusOr<bool> expire(Nanos now, std::uint64_t& expired) KLEPTO_REQUIRES(keeping_);
  absl::StatusOr<bool> expire_some(const std::string& job, Nanos horizon, Nanos forget_at, std::uint64_t& expired)
      KLEPTO_REQUIRES(keeping_);
  absl::StatusOr<bool> forget(Nanos now);
  absl::StatusOr<bool> expire_findings(Nanos now);
  absl::Status trim_changes();

  const Keys keys_;
  Dialer dialer_;
  Pool pool_;
  Writer writer_;

  Mutex keeping_;  // of house
  bool due_ KLEPTO_GUARDED_BY(keeping_) = true;
  Nanos kept_at_ KLEPTO_GUARDED_BY(keeping_) = 0;
  Nanos checked_at_ KLEPTO_GUARDED_BY(keeping_) = 0;
  std::string warned_ KLEPTO_GUARDED_BY(keeping_);
  // How far the pass over jobs that keep runs for a time has come: the last job done; the one begun, and where in it.
  std::string expired_job_ KLEPTO_GUARDED_BY(keeping_);
  std::string expiring_job_ KLEPTO_GUARDED_BY(keeping_);
  std::string expired_place_ KLEPTO_GUARDED_BY(keeping_);

  Mutex damage_mutex_;
  int damaged_told_ KLEPTO_GUARDED_BY(damage_mutex_) = 0;
};

}  // namespace kleptometrics::aggregator::redis
