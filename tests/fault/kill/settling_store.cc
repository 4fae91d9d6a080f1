// In the place of store/open_store.cc: a kleptometricsd that puts what was committed in order all the time, not every
// ten thousands of runs, so that kills hit it while it does.
#include <string_view>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

absl::StatusOr<std::unique_ptr<Store>> open_store(std::string_view url, bool) {
  constexpr std::string_view kScheme = "sqlite:";
  if (!url.starts_with(kScheme)) return absl::InvalidArgumentError("this build knows `sqlite:PATH` alone");
  return open_sqlite(url.substr(kScheme.size()), {.settle_runs = 500});
}

}  // namespace kleptometrics::aggregator
