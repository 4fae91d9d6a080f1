// Rows that were read and make no sense, for the log: each is told of once, and no more of them than anyone reads.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/mutex.h"

namespace kleptometrics::aggregator {

// Any thread.
class DamagedRows {
 public:
  static constexpr std::size_t rows_told_max = 100;

  // True if this row is to be told of now. `id` as it stands in the row.
  bool first_sight(std::string_view id) {
    const Lock lock(mutex_);
    return seen_.size() < rows_told_max && seen_.emplace(id).second;
  }

 private:
  Mutex mutex_;
  std::set<std::string, std::less<>> seen_ KLEPTO_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator
