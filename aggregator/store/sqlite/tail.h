// What was committed since the last settling: in memory to be read, in the log to be safe. Bounded by how often the
// store settles. The committer changes it under the store's exclusive lock, readers look at it under the shared one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::sqlite {

struct Recent {
  Recent(Run&& its, Nanos at, std::int64_t key) : run(std::move(its)), committed_at(at), open_key(key) {}
  Run run;
  Nanos committed_at = 0;
  std::int64_t open_key = 0;  // of the row of open_runs that this takes the place of; 0: none
};
using RecentPtr = std::shared_ptr<const Recent>;  // shared with readers that still look at it

struct UuidHash {
  std::size_t operator()(const Uuid& id) const {
    return static_cast<std::size_t>((id.half(0) ^ (id.half(1) >> 32U)) * 0x9e37'79b9'7f4a'7c15U ^ id.half(1));
  }
};

class Tail {
 public:
  // By start and id, oldest first.
  using Position = std::pair<Nanos, Uuid>;
  using OfJob = absl::btree_map<Position, RecentPtr>;

  // Replaces an earlier snapshot of the run.
  void put(RecentPtr recent) {
    const Run& run = recent->run;
    if (recent->open_key != 0) replaced_.insert(recent->open_key);
    committed_at_ = by_id_.empty() ? recent->committed_at : std::min(committed_at_, recent->committed_at);
    by_id_[run.id] = recent;
    jobs_[run.job].insert_or_assign({run.started_at, run.id}, std::move(recent));
  }
  // Makes room for so many.
  void expect(std::size_t runs) { by_id_.reserve(runs); }
  void clear() {
    by_id_ = {};
    jobs_ = {};
    replaced_ = {};
  }

  std::size_t size() const { return by_id_.size(); }
  const Recent* find(const Uuid& id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
  }
  const OfJob* of_job(const std::string& job) const {
    const auto found = jobs_.find(job);
    return found == jobs_.end() ? nullptr : &found->second;
  }
  // Calls `visit` with what is of the job, of all of them if it is empty, in no order.
  template <typename Visit>
  void each(const std::string& job, Visit visit) const {
    if (job.empty()) {
      for (const auto& [id, recent] : by_id_) visit(recent);
    } else if (const OfJob* const its = of_job(job)) {
      for (const auto& [position, recent] : *its) visit(recent);
    }
  }
  const absl::flat_hash_map<std::string, OfJob>& jobs() const { return jobs_; }
  const absl::flat_hash_map<Uuid, RecentPtr, UuidHash>& all() const { return by_id_; }
  // Keys of the rows of open_runs that are not to be looked at any more.
  const absl::flat_hash_set<std::int64_t>& replaced() const { return replaced_; }
  // Of the first commit; while there is any.
  Nanos committed_at() const { return committed_at_; }

 private:
  absl::flat_hash_map<Uuid, RecentPtr, UuidHash> by_id_;
  absl::flat_hash_map<std::string, OfJob> jobs_;
  absl::flat_hash_set<std::int64_t> replaced_;
  Nanos committed_at_ = 0;
};

}  // namespace kleptometrics::aggregator::sqlite
