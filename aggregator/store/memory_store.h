// Runs kept in this process's memory: for tests (the model that other stores are compared with), trials, and
// hosts that want no file. Gone with the object.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/store.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

// Any thread may call anything at any time. Nothing fails but a limit of 0.
class MemoryStore final : public Store {
 public:
  absl::StatusOr<std::vector<Applied>> commit(absl::Span<const Snapshot> snapshots) override;
  absl::StatusOr<std::optional<Run>> run(const Uuid& id) override;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override;
  absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) override;
  absl::StatusOr<std::vector<std::string>> jobs() override;
  absl::Status ready() override { return absl::OkStatus(); }

 private:
  using Entry = std::shared_ptr<const Snapshot>;  // shared with readers that still look at it
  // By start and id, newest first. Neither ever changes for a run.
  using Position = std::pair<Nanos, Uuid>;
  using Ordered = std::map<Position, Entry, std::greater<>>;

  Applied apply(const Snapshot& snapshot) KLEPTO_REQUIRES(mutex_);
  const Ordered& ordered(const std::string& job) const KLEPTO_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<Uuid, Entry> by_id_ KLEPTO_GUARDED_BY(mutex_);
  Ordered all_ KLEPTO_GUARDED_BY(mutex_);
  std::map<std::string, Ordered> by_job_ KLEPTO_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator
