// A few connections for reading, lent to one thread at a time. Who finds none waits: reads are short.
#pragma once

#include <vector>

#include "aggregator/store/sqlite/connection.h"
#include "lib/base/mutex.h"

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
    Connection& operator*() { return connection_; }

   private:
    ReaderPool& pool_;
    Connection connection_;
  };

  explicit ReaderPool(std::vector<Connection> connections) : idle_(std::move(connections)) {}

  Lease borrow();
  // Lets go of what those that are not lent out have cached.
  void shrink();

 private:
  void give_back(Connection connection);

  Mutex mutex_;
  Condition returned_;
  std::vector<Connection> idle_ KLEPTO_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator::sqlite
