#include "aggregator/store/postgres/postgres_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/store/postgres/schema.h"
#include "aggregator/store/postgres/status.h"
#include "aggregator/store/postgres/store.h"

namespace kleptometrics::aggregator {
namespace postgres {
namespace {

// Beside questions, one each for the settling thread, for ready() and for what is shared.
constexpr std::size_t kConnectionsBeside = 3;

}  // namespace

PostgresStore::PostgresStore(Target target, const PostgresOptions& options)
    : options_(options), server_(std::move(target), options.readers + kConnectionsBeside) {}

PostgresStore::~PostgresStore() {
  {
    const Lock lock(state_mutex_);
    stopping_ = true;
  }
  state_changed_.notify_all();
  if (settling_.joinable()) settling_.join();
}

absl::Status PostgresStore::start(bool must_exist) {
  absl::StatusOr<Connection> connection = server_.connect();
  if (!connection.ok()) return within(doing("connect to"), connection.status());
  if (absl::Status status = open_schema(*connection, must_exist); !status.ok())
    return within(doing("open the tables in"), status);
  const Lock lock(writing_);
  writer_ = *std::move(connection);
  if (!options_.settle_at_once) settling_ = std::thread([this] { settle_by_and_by(); });
  return absl::OkStatus();
}

}  // namespace postgres

absl::StatusOr<std::unique_ptr<Store>> open_postgres(std::string_view url, const PostgresOptions& options) {
  absl::StatusOr<postgres::Target> target = postgres::Target::parse(url);
  if (!target.ok()) return target.status();
  auto store = std::make_unique<postgres::PostgresStore>(*std::move(target), options);
  if (absl::Status status = store->start(options.must_exist); !status.ok()) return status;
  return store;
}

}  // namespace kleptometrics::aggregator
