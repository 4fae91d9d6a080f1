#include "aggregator/store/postgres/server.h"

#include <algorithm>

namespace kleptometrics::aggregator::postgres {
namespace {

constexpr Nanos kPauseMin = 100'000'000;
constexpr Nanos kPauseMax = 500'000'000;

}  // namespace

absl::StatusOr<Connection> Server::connect() {
  const Lock lock(connecting_);
  if (system_steady() < not_before_) return absl::Status(code_, why_);
  absl::StatusOr<Connection> connection = Connection::open(target_);
  if (connection.ok()) {
    pause_ = 0;
    return connection;
  }
  pause_ = std::clamp(2 * pause_, kPauseMin, kPauseMax);
  not_before_ = system_steady() + pause_;
  code_ = connection.status().code();
  why_ = std::string(connection.status().message());
  return absl::Status(code_, why_);
}

std::optional<Connection> Server::idle_one() {
  const Lock lock(mutex_);
  while (free_ == 0) returned_.wait(mutex_);
  --free_;
  while (!idle_.empty()) {
    Connection last = std::move(idle_.back());
    idle_.pop_back();
    if (last.alive()) return last;
  }
  return std::nullopt;
}

absl::StatusOr<Server::Lease> Server::borrow() {
  std::optional<Connection> idle = idle_one();
  if (idle) return Lease(*this, *std::move(idle));
  absl::StatusOr<Connection> made = connect();
  if (made.ok()) return Lease(*this, *std::move(made));
  const Lock lock(mutex_);
  ++free_;
  returned_.notify_one();
  return made.status();
}

void Server::give_back(Connection connection) {
  connection.roll_back();
  const bool kept = connection.clean();
  const Lock lock(mutex_);
  if (kept) idle_.push_back(std::move(connection));
  ++free_;
  returned_.notify_one();
}

}  // namespace kleptometrics::aggregator::postgres
