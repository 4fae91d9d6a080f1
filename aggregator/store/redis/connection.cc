#include "aggregator/store/redis/connection.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "aggregator/base/absl_view.h"
#include "aggregator/store/redis/scripts.h"

namespace kleptometrics::aggregator::redis {
namespace {

constexpr std::size_t kReadBytes = 64U << 10U;

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::open(const Url& url) {
  absl::StatusOr<std::unique_ptr<Socket>> socket = Socket::connect(url, system_steady() + kConnectTimeout);
  if (!socket.ok()) return socket.status();
  std::unique_ptr<Connection> connection(new Connection(*std::move(socket)));
  if (connection->reader_ == nullptr) return absl::UnavailableError("out of memory");
  if (absl::Status status = connection->introduce(url); !status.ok()) return status;
  return connection;
}

absl::Status Connection::introduce(const Url& url) {
  Pipeline hello;
  if (!url.password.empty()) {
    Command auth("AUTH");
    if (!url.user.empty()) auth.add(url.user);
    hello.add(auth.add(url.password));
  }
  if (url.db != 0) hello.add("SELECT", url.db);
  for (const Script* script : kScripts) hello.add("SCRIPT", "LOAD", script->text);
  return ask(hello).status();
}

absl::Status Connection::take_replies(std::size_t wanted, Replies& replies) {
  while (replies.size() < wanted) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK)
      return absl::UnavailableError(absl::StrCat("the answer cannot be read: ", redisReaderGetError(reader_.get())));
    if (raw == nullptr) break;
    replies.add(Reply(raw));
  }
  return absl::OkStatus();
}

absl::StatusOr<Replies> Connection::run(const Pipeline& pipeline) {
  if (broken_) return absl::UnavailableError("the connection is broken");
  Replies replies;
  std::string_view out = pipeline.bytes();
  std::array<char, kReadBytes> in;
  while (replies.size() < pipeline.commands()) {
    std::size_t bytes = 0;
    absl::Status status = socket_->exchange(out, in.data(), in.size(), bytes, system_steady() + kCommandTimeout);
    if (status.ok() && redisReaderFeed(reader_.get(), in.data(), bytes) != REDIS_OK)
      status = absl::UnavailableError("out of memory");
    if (status.ok()) status = take_replies(pipeline.commands(), replies);
    if (!status.ok()) {
      broken_ = true;
      return status;
    }
  }
  return replies;
}

absl::StatusOr<Replies> Connection::ask(const Pipeline& pipeline) {
  absl::StatusOr<Replies> replies = run(pipeline);
  if (!replies.ok()) return replies;
  if (absl::Status status = status_of(*replies); !status.ok()) return status;
  return replies;
}

// A script that is missing would leave a part of the transaction undone: nothing can take it away in here.
Transaction::Transaction(Watched watched) {
  if (watched == Watched::kForgotten) pipeline_.add("UNWATCH");
  pipeline_.add("MULTI");
  for (const Script* script : kScripts) {
    if (script->writes) pipeline_.add("SCRIPT", "LOAD", script->text);
  }
}

absl::StatusOr<bool> Transaction::execute(Connection& connection) {
  pipeline_.add("EXEC");
  ++connection.transactions_;
  const absl::StatusOr<Replies> replies = connection.ask(pipeline_);
  if (!replies.ok()) return replies.status();
  const ReplyView result = replies->back();
  if (result.nil()) return false;
  for (std::size_t at = 0; at < result.size(); ++at) {
    if (result[at].error())
      return absl::InternalError(absl::StrCat("a part of a transaction failed: ", absl_view(result[at].text())));
  }
  return true;
}

}  // namespace kleptometrics::aggregator::redis
