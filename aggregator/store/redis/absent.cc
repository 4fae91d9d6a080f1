// In place of everything else here, where hiredis is missing or KLEPTO_REDIS is off.
#include "aggregator/store/redis/redis_store.h"

namespace kleptometrics::aggregator {

absl::StatusOr<std::unique_ptr<Store>> open_redis(std::string_view, bool) {
  return absl::InvalidArgumentError(
      "store URL: this build has no Redis; build with KLEPTO_REDIS=ON where hiredis (libhiredis-dev) is installed");
}

}  // namespace kleptometrics::aggregator
