// One commit of runs, on one connection: reads what is stored of them, works out what they make of it, and writes that
// in one transaction, which the server refuses where anything that was read has changed meanwhile. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/redis/connection.h"
#include "aggregator/store/redis/keys.h"
#include "aggregator/store/redis/record.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::redis {

class Commit {
 public:
  // Borrows all of it.
  Commit(const Keys& keys, const std::vector<Run>& runs, Nanos now, const std::vector<Basis>& bases)
      : keys_(keys), runs_(runs), now_(now), bases_(bases) {}

  // True: it is done. False: something has changed meanwhile, try again. Aborted: one of the bases is no more.
  absl::StatusOr<bool> attempt(Connection& connection);
  // Of the attempt that was done, one a run.
  std::vector<Applied> take_applied() { return std::move(applied_); }

 private:
  struct HashId {
    std::size_t operator()(const Uuid& id) const { return id.half(0) * 0x9e3779b97f4a7c15U ^ id.half(1); }
  };
  struct Known {
    std::optional<Claim> claim{};
    bool damaged = false;         // it is there, but cannot be read
    std::optional<Run> before{};  // what is stored
    std::optional<Run> after{};   // what will be, where that is something else
  };
  absl::Status read(Connection& connection);
  absl::Status read_runs(Connection& connection);
  absl::Status check_bases() const;
  Applied stage(const Run& run);
  absl::StatusOr<bool> write(Connection& connection);
  void write_runs(Pipeline& out) const;

  const Keys& keys_;
  const std::vector<Run>& runs_;
  const Nanos now_;
  const std::vector<Basis>& bases_;
  std::vector<Uuid> ids_;  // each once, in the order of the runs
  std::unordered_map<Uuid, Known, HashId> known_;
  std::vector<Applied> applied_;
};

}  // namespace kleptometrics::aggregator::redis
