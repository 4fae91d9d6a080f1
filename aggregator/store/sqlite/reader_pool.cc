#include "aggregator/store/sqlite/reader_pool.h"

#include <utility>

namespace kleptometrics::aggregator::sqlite {

ReaderPool::Lease ReaderPool::borrow() {
  const Lock lock(mutex_);
  while (idle_.empty()) returned_.wait(mutex_);
  Connection connection = std::move(idle_.back());
  idle_.pop_back();
  return {*this, std::move(connection)};
}

void ReaderPool::shrink() {
  const Lock lock(mutex_);
  for (Connection& each : idle_) sqlite3_db_release_memory(each.raw());
}

void ReaderPool::give_back(Connection connection) {
  const Lock lock(mutex_);
  idle_.push_back(std::move(connection));  // room is there since the start: never allocates
  returned_.notify_one();
}

}  // namespace kleptometrics::aggregator::sqlite
