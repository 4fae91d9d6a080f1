// Runs kept in this process's memory: for tests (the model that other stores are compared with), trials, and
// hosts that want no file. Gone with the object.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "aggregator/store/change_list.h"
#include "aggregator/store/memory_findings.h"
#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

// Any thread may call anything at any time. Nothing fails but a limit of 0.
class MemoryStore final : public Store, public ChangeList {
 public:
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
  absl::Status ready() override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> verify(std::size_t) override { return std::vector<std::string>(); }
  absl::Status keep_changes() override;
  absl::StatusOr<Changes> changes(std::size_t limit) override;
  absl::Status drop_changes(const std::string& upto) override { return put_off(upto, {}); }
  std::uint64_t waiting() const override;
  absl::Status put_off(const std::string& upto, const std::vector<Run>& again) override;

 private:
  struct Kept {
    Run run;
    Nanos committed_at;
  };
  using Entry = std::shared_ptr<const Kept>;  // shared with readers that still look at it
  // By start and id, newest first. Neither ever changes for a run.
  using Position = std::pair<Nanos, Uuid>;
  using Ordered = std::map<Position, Entry, std::greater<>>;
  // Of the runs that have expired. Everything else is added up when asked.
  using Rollups = std::map<std::tuple<std::string, stats::Resolution, Nanos>, stats::Rollup>;

  struct Job {
    JobSpec spec;
    Ordered runs;
    Rollups expired;  // by series, resolution and start
    std::string watch_state;
    Nanos complete_since = std::numeric_limits<Nanos>::min();
  };

  // What one commit changed, by the number of that commit.
  using Changed = std::deque<std::pair<std::uint64_t, std::vector<Change>>>;

  Applied apply(Run run, Nanos now) KLEPTO_REQUIRES(mutex_);
  void enter(std::vector<Change> changes) KLEPTO_REQUIRES(mutex_);
  const Ordered& ordered(const std::string& job) const KLEPTO_REQUIRES(mutex_);
  void expire(const Kept& kept, Job& job) KLEPTO_REQUIRES(mutex_);
  static void add_up(const Stretch& stretch, const SummaryRequest& request, const std::string& name, const Job& job,
                     Pieces& pieces);

  mutable Mutex mutex_;
  std::map<Uuid, Entry> by_id_ KLEPTO_GUARDED_BY(mutex_);
  std::map<Uuid, Nanos> gone_ KLEPTO_GUARDED_BY(mutex_);  // expired, and until when that is remembered
  Ordered all_ KLEPTO_GUARDED_BY(mutex_);
  std::map<std::string, Job> jobs_ KLEPTO_GUARDED_BY(mutex_);
  MemoryFindings<Delay, DelayKind> delays_ KLEPTO_GUARDED_BY(mutex_);
  MemoryFindings<Alert, AlertKind> alerts_ KLEPTO_GUARDED_BY(mutex_);
  bool keeps_changes_ KLEPTO_GUARDED_BY(mutex_) = false;
  Changed changed_ KLEPTO_GUARDED_BY(mutex_);
  std::uint64_t last_change_ KLEPTO_GUARDED_BY(mutex_) = 0;
};

}  // namespace kleptometrics::aggregator
