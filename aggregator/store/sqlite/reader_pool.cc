#include "aggregator/store/sqlite/reader_pool.h"

#include <utility>

namespace kleptometrics::aggregator::sqlite {

ReaderPool::Lease ReaderPool::borrow() {
  const absl::MutexLock lock(&mutex_, absl::Condition(this, &ReaderPool::any_idle));
  Connection connection = std::move(idle_.back());
  idle_.pop_back();
  return {*this, std::move(connection)};
}

void ReaderPool::give_back(Connection connection) {
  const absl::MutexLock lock(&mutex_);
  idle_.push_back(std::move(connection));  // room is there since the start: never allocates
}

}  // namespace kleptometrics::aggregator::sqlite
