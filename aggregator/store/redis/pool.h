// The connections of one store. They are made when they are needed and kept for the next; where the server is away, it
// is tried again ever more seldom, and whoever asks meanwhile is told at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/redis/connection.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::redis {

// Makes connections. Any thread.
class Dialer {
 public:
  static constexpr Nanos kBackOffMin = 50'000'000;
  static constexpr Nanos kBackOffMax = 5 * kNanosPerSecond;

  explicit Dialer(Url url) : url_(std::move(url)) {}
  // Unavailable, too, while the next try is not due.
  absl::StatusOr<std::unique_ptr<Connection>> dial();
  const Url& url() const { return url_; }

 private:
  const Url url_;
  Mutex mutex_;
  Nanos next_ KLEPTO_GUARDED_BY(mutex_) = 0;  // steady
  Nanos back_off_ KLEPTO_GUARDED_BY(mutex_) = 0;
  absl::Status last_ KLEPTO_GUARDED_BY(mutex_);
};

// The readers' connections. Any thread.
class Pool {
 public:
  static constexpr std::size_t kConnectionsMax = 8;  // more readers wait for one another

  explicit Pool(Dialer& dialer) : dialer_(dialer) {}
  // Replies without an error among them. A question may be asked again, so a connection that has become old meanwhile
  // and scripts that were forgotten are made good once.
  absl::StatusOr<Replies> ask(const Pipeline& pipeline);

 private:
  absl::StatusOr<Replies> ask_once(const Pipeline& pipeline, bool fresh, bool& worth_another);
  std::unique_ptr<Connection> take(bool fresh);
  void give(std::unique_ptr<Connection> connection);

  Dialer& dialer_;
  Mutex mutex_;
  Condition freed_;
  std::size_t lent_ KLEPTO_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<Connection>> idle_ KLEPTO_GUARDED_BY(mutex_);
};

// The connection of those that change the store: one at a time, in transactions that are tried again where another
// process was faster. Any thread.
class Writer {
 public:
  static constexpr int kAttemptsMax = 200;  // others, each of which got something done, came first as often

  explicit Writer(Dialer& dialer) : dialer_(dialer) {}
  // An attempt answers true when it is done and false where something that it watched has changed. It begins with an
  // UNWATCH: what an earlier one left watched is still so.
  absl::Status write(absl::FunctionRef<absl::StatusOr<bool>(Connection&)> attempt);
  // Of the last write().
  absl::Status last();

 private:
  absl::Status write_locked(absl::FunctionRef<absl::StatusOr<bool>(Connection&)> attempt) KLEPTO_REQUIRES(mutex_);

  Dialer& dialer_;
  Mutex mutex_;
  std::unique_ptr<Connection> connection_ KLEPTO_GUARDED_BY(mutex_);
  Mutex last_mutex_;
  absl::Status last_ KLEPTO_GUARDED_BY(last_mutex_);
};

}  // namespace kleptometrics::aggregator::redis
