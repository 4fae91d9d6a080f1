// A few connections for reading, lent to one thread at a time. Who finds none waits: reads are short.
#pragma once

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "aggregator/store/sqlite/connection.h"

namespace kleptometrics::aggregator::sqlite {

// Any thread may borrow at any time. All connections must be back when the pool ends.
class ReaderPool {
 public:
  // Goes back to its pool with its scope.
  class [[nodiscard]] Lease {
   public:
    Lease(ReaderPool& pool, Connection connection) : pool_(pool), connection_(std::move(connection)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.give_back(std::move(connection_)); }
    Connection* operator->() { return &connection_; }

   private:
    ReaderPool& pool_;
    Connection connection_;
  };

  explicit ReaderPool(std::vector<Connection> connections) : idle_(std::move(connections)) {}

  Lease borrow();

 private:
  void give_back(Connection connection);
  bool any_idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !idle_.empty(); }

  absl::Mutex mutex_;
  std::vector<Connection> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator::sqlite
