// The server as the store sees it: connections to it, made when they are needed, lent and kept. After an attempt in
// vain nobody tries again for a while, so that a server that comes back is not stormed. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/postgres/connection.h"
#include "aggregator/store/postgres/target.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::postgres {

class Server {
 public:
  // At most `lent_max` connections are lent at a time; who comes later waits.
  Server(Target target, std::size_t lent_max) : target_(std::move(target)), free_(lent_max) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const { return target_.name(); }

  // Unavailable at once where another attempt has just failed.
  absl::StatusOr<Connection> connect();

  // Goes back with its scope; a transaction that is open then is rolled back.
  class [[nodiscard]] Lease {
   public:
    Lease(Server& server, Connection connection) : server_(&server), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept
        : server_(std::exchange(other.server_, nullptr)), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (server_ != nullptr) server_->give_back(std::move(connection_));
    }
    Connection* operator->() { return &connection_; }
    Connection& operator*() { return connection_; }

   private:
    Server* server_;
    Connection connection_;
  };
  absl::StatusOr<Lease> borrow();

 private:
  void give_back(Connection connection);
  std::optional<Connection> idle_one();

  const Target target_;

  Mutex connecting_;                                     // one attempt at a time
  Nanos not_before_ KLEPTO_GUARDED_BY(connecting_) = 0;  // steady
  Nanos pause_ KLEPTO_GUARDED_BY(connecting_) = 0;
  absl::StatusCode code_ KLEPTO_GUARDED_BY(connecting_) = absl::StatusCode::kUnavailable;
  std::string why_ KLEPTO_GUARDED_BY(connecting_);

  Mutex mutex_;
  Condition returned_;
  std::size_t free_ KLEPTO_GUARDED_BY(mutex_);  // may still be lent
  std::vector<Connection> idle_ KLEPTO_GUARDED_BY(mutex_);
};

}  // namespace kleptometrics::aggregator::postgres
