// What a store that is not shared can do with its list of changes beside the contract (store.h): for who forwards what
// it commits, and may be told that some of it is to come again later.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

class ChangeList {
 public:
  virtual ~ChangeList() = default;

  // How many runs and specifications it holds. Any thread.
  virtual std::uint64_t waiting() const = 0;
  // As Store::drop_changes(), and in the same transaction `again` comes to the end of the list: taken from what is
  // dropped, it is to be passed on once more. By the committer's thread.
  virtual absl::Status put_off(const std::string& upto, const std::vector<Run>& again) = 0;
};

// That of the store, which owns it; null: it has none.
ChangeList* change_list_of(Store& store);

}  // namespace kleptometrics::aggregator
