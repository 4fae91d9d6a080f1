// One connection to the server: pipelines go out, their replies come back. Ready for use when it is there: logged in,
// in its database, scripts loaded. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/store/redis/pipeline.h"
#include "aggregator/store/redis/reply.h"
#include "aggregator/store/redis/socket.h"
#include "aggregator/store/redis/url.h"

namespace kleptometrics::aggregator::redis {

inline constexpr Nanos kConnectTimeout = 5 * kNanosPerSecond;
inline constexpr Nanos kCommandTimeout = 30 * kNanosPerSecond;

class Connection {
 public:
  // Unavailable: not reached, or it loads; PermissionDenied: not let in. Shows no password.
  static absl::StatusOr<std::unique_ptr<Connection>> open(const Url& url);

  // One reply a command, errors among them. Unavailable: the connection is broken, and how much the server did of it is
  // not known. After that nothing but its end makes sense.
  absl::StatusOr<Replies> run(const Pipeline& pipeline);
  // The same, where an error reply is an error of the whole.
  absl::StatusOr<Replies> ask(const Pipeline& pipeline);
  bool broken() const { return broken_; }
  // Of how many an EXEC was sent.
  std::uint64_t transactions() const { return transactions_; }

 private:
  friend class Transaction;
  struct FreeReader {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };
  explicit Connection(std::unique_ptr<Socket> socket) : socket_(std::move(socket)), reader_(redisReaderCreate()) {}
  absl::Status take_replies(std::size_t wanted, Replies& replies);
  absl::Status introduce(const Url& url);

  std::unique_ptr<Socket> socket_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  bool broken_ = false;
  std::uint64_t transactions_ = 0;
};

// A transaction: MULTI, its commands, EXEC. All are applied or none.
class Transaction {
 public:
  enum class Watched { kKept, kForgotten };  // what the connection watches already
  explicit Transaction(Watched watched = Watched::kKept);
  Pipeline& commands() { return pipeline_; }
  // False, and nothing was applied, if a watched key has changed. Errors: Unavailable of a connection that broke: it is
  // not known whether it was applied; Internal: a command failed that could not fail, and others were applied.
  absl::StatusOr<bool> execute(Connection& connection);

 private:
  Pipeline pipeline_;
};

}  // namespace kleptometrics::aggregator::redis
