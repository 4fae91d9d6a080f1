#include "aggregator/store/redis/pool.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr int kAttemptsAtOnce = 3;
constexpr std::int64_t kPauseMicrosMax = 20'000;

// Uneven, so that two that are in each other's way part: the low bits of the clock will do.
void pause(int attempt) {
  if (attempt < kAttemptsAtOnce) return;
  const std::int64_t most = std::min<std::int64_t>(std::int64_t{100} << std::min(attempt, 12), kPauseMicrosMax);
  std::this_thread::sleep_for(std::chrono::microseconds(1 + system_steady() / 64 % most));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Dialer::dial() {
  {
    const Lock lock(mutex_);
    if (system_steady() < next_) return last_;
  }
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::open(url_);
  const Lock lock(mutex_);
  if (connection.ok()) {
    back_off_ = 0;
    next_ = 0;
  } else {
    back_off_ = std::clamp(2 * back_off_, kBackOffMin, kBackOffMax);
    next_ = system_steady() + back_off_ / 2 + system_steady() / 64 % (back_off_ / 2);
    last_ = connection.status();
  }
  return connection;
}

std::unique_ptr<Connection> Pool::take(bool fresh) {
  const Lock lock(mutex_);
  while (lent_ == kConnectionsMax) freed_.wait(mutex_);
  ++lent_;
  if (fresh) idle_.clear();  // as old as the one that failed
  if (idle_.empty()) return nullptr;
  std::unique_ptr<Connection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Pool::give(std::unique_ptr<Connection> connection) {
  const Lock lock(mutex_);
  --lent_;
  if (connection != nullptr && !connection->broken()) idle_.push_back(std::move(connection));
  freed_.notify_one();
}

absl::StatusOr<Replies> Pool::ask_once(const Pipeline& pipeline, bool fresh, bool& worth_another) {
  std::unique_ptr<Connection> connection = take(fresh);
  worth_another = connection != nullptr;
  if (connection == nullptr) {
    absl::StatusOr<std::unique_ptr<Connection>> made = dialer_.dial();
    if (!made.ok()) {
      give(nullptr);
      return made.status();
    }
    connection = *std::move(made);
  }
  absl::StatusOr<Replies> replies = connection->run(pipeline);
  worth_another = replies.ok() ? lacks_script(*replies) : worth_another;
  if (replies.ok() && lacks_script(*replies)) connection = nullptr;
  give(std::move(connection));
  if (!replies.ok()) return replies;
  if (absl::Status status = status_of(*replies); !status.ok()) return status;
  return replies;
}

absl::StatusOr<Replies> Pool::ask(const Pipeline& pipeline) {
  bool worth_another = false;
  absl::StatusOr<Replies> replies = ask_once(pipeline, false, worth_another);
  if (replies.ok() || !worth_another) return replies;
  return ask_once(pipeline, true, worth_another);
}

absl::Status Writer::write(absl::FunctionRef<absl::StatusOr<bool>(Connection&)> attempt) {
  const Lock lock(mutex_);
  absl::Status status = write_locked(attempt);
  const Lock lock_last(last_mutex_);
  last_ = status;
  return status;
}

absl::Status Writer::last() {
  const Lock lock(last_mutex_);
  return last_;
}

absl::Status Writer::write_locked(absl::FunctionRef<absl::StatusOr<bool>(Connection&)> attempt) {
  for (int count = 1; count <= kAttemptsMax; ++count) {
    const bool old = connection_ != nullptr;
    if (!old) {
      absl::StatusOr<std::unique_ptr<Connection>> made = dialer_.dial();
      if (!made.ok()) return made.status();
      connection_ = *std::move(made);
    }
    const std::uint64_t before = connection_->transactions();
    const absl::StatusOr<bool> done = attempt(*connection_);
    if (done.ok() && *done) return absl::OkStatus();
    const bool nothing_sent = connection_->transactions() == before;
    if (!done.ok() && !absl::IsAborted(done.status())) connection_ = nullptr;
    if (!done.ok() && !(old && count == 1 && nothing_sent && absl::IsUnavailable(done.status()))) return done.status();
    pause(count);
  }
  return absl::UnavailableError("other aggregators have changed the same runs again and again");
}

}  // namespace kleptometrics::aggregator::redis
