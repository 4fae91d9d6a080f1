// What the server answered, as hiredis has read it. Replies own what they show; views point into one. Any thread, one
// at a time.
#pragma once

#include <hiredis/hiredis.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace kleptometrics::aggregator::redis {

// A reply, or one element of it. Asking for what it is not is answered with nothing: 0, the empty text, no elements.
class ReplyView {
 public:
  explicit ReplyView(const redisReply* raw) : raw_(raw) {}
  bool nil() const { return raw_ == nullptr || raw_->type == REDIS_REPLY_NIL; }
  bool error() const { return raw_ != nullptr && raw_->type == REDIS_REPLY_ERROR; }
  std::string_view text() const {
    if (raw_ == nullptr || raw_->str == nullptr) return {};
    return {raw_->str, static_cast<std::size_t>(raw_->len)};
  }
  // Of a number, also of one that came as a text.
  std::int64_t number() const {
    if (raw_ != nullptr && raw_->type == REDIS_REPLY_INTEGER) return raw_->integer;
    std::int64_t number = 0;
    std::from_chars(text().data(), text().data() + text().size(), number);
    return number;
  }
  std::size_t size() const { return raw_ == nullptr || raw_->type != REDIS_REPLY_ARRAY ? 0 : raw_->elements; }
  ReplyView operator[](std::size_t at) const { return ReplyView(at < size() ? raw_->element[at] : nullptr); }

 private:
  const redisReply* raw_;
};

class Reply {
 public:
  explicit Reply(void* raw) : raw_(static_cast<redisReply*>(raw)) {}
  ReplyView view() const { return ReplyView(raw_.get()); }

 private:
  struct Free {
    void operator()(redisReply* raw) const { freeReplyObject(raw); }
  };
  std::unique_ptr<redisReply, Free> raw_;
};

// One for each command of a pipeline, in order.
class Replies {
 public:
  void add(Reply reply) { all_.push_back(std::move(reply)); }
  std::size_t size() const { return all_.size(); }
  ReplyView operator[](std::size_t at) const { return at < all_.size() ? all_[at].view() : ReplyView(nullptr); }
  ReplyView back() const { return all_.empty() ? ReplyView(nullptr) : all_.back().view(); }

 private:
  std::vector<Reply> all_;
};

// What an error reply means to whoever asked (store.h); OK for any other reply.
absl::Status status_of(ReplyView reply);
// Of the first error among them.
absl::Status status_of(const Replies& replies);
// True if a script is to be loaded again.
bool lacks_script(const Replies& replies);

}  // namespace kleptometrics::aggregator::redis
