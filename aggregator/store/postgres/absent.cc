// In the place of everything else here where libpq is not found, or not wanted.
#include "aggregator/store/postgres/postgres_store.h"

namespace kleptometrics::aggregator {

absl::StatusOr<std::unique_ptr<Store>> open_postgres(std::string_view, const PostgresOptions&) {
  return absl::InvalidArgumentError("store URL: this build of kleptometricsd has no PostgreSQL");
}

}  // namespace kleptometrics::aggregator
