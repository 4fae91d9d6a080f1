#include "aggregator/http/guard/request_reader.h"

#include <string.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace kleptometrics::aggregator::http::guard {

bool RequestReader::append(std::string_view bytes) {
  const std::size_t needed = buffer_.size() + bytes.size();
  if (needed > buffer_.capacity()) {
    const std::size_t capacity = std::max(needed, std::min(2 * buffer_.capacity(), expected_bytes()));
    const std::size_t uncounted = std::min(capacity, limits_.connection_uncounted_bytes_max);
    if (!charge_.resize(capacity - uncounted)) return false;
    std::string grown;
    grown.reserve(capacity);  // exact for a fresh string; in place, a string would double
    grown.append(buffer_);
    wipe_head();
    buffer_.swap(grown);
  }
  buffer_.append(bytes);
  return true;
}

RequestReader::Step RequestReader::next() {
  if (phase_ == Phase::kHead) {
    const Step step = next_head();
    if (step != Step::kRequest) return step;
  }
  if (buffer_.size() >= admission_.body_bytes) return Step::kRequest;
  // A peer that has begun to send the body does not wait any more.
  const bool waits = std::exchange(admission_.expects_continue, false) && buffer_.empty();
  return waits ? Step::kContinue : Step::kNeedMore;
}

RequestReader::Step RequestReader::next_head() {
  if (buffer_.empty()) return Step::kNeedMore;
  auto parsed = parse_head(buffer_, limits_, scan_);
  if (std::holds_alternative<NeedMore>(parsed)) return Step::kNeedMore;
  if (auto* refusal = std::get_if<Refusal>(&parsed)) return refuse(std::move(*refusal));
  head_ = std::get<Head>(std::move(parsed));
  auto admitted = admit(head_, policy_, limits_);
  forget_key();
  if (auto* refusal = std::get_if<Refusal>(&admitted)) return refuse(std::move(*refusal));
  admission_ = std::get<Admission>(std::move(admitted));
  wipe_head();
  buffer_.erase(0, head_.bytes);
  scan_ = {};
  phase_ = Phase::kBody;
  fit();
  return Step::kRequest;
}

Incoming RequestReader::take_request() {
  Incoming incoming{std::move(head_), std::move(admission_.request), admission_.keep_alive, charge_.split(0)};
  std::string& body = incoming.request.body;
  if (buffer_.size() == admission_.body_bytes) {
    body = std::exchange(buffer_, {});
  } else if (admission_.body_bytes > 0) {
    body = buffer_.substr(0, admission_.body_bytes);
    std::string next = buffer_.substr(admission_.body_bytes);  // which needs not the capacity of both
    if (policy_.authorize) ::explicit_bzero(buffer_.data(), buffer_.size());
    buffer_ = std::move(next);
  }
  incoming.charge = charge_.split(body.size());
  phase_ = Phase::kHead;
  head_ = {};
  admission_ = {};
  fit();
  return incoming;
}

RequestReader::Step RequestReader::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  return Step::kRefused;
}

// Gives an empty buffer's memory back; otherwise an idle connection would keep that of its largest request.
void RequestReader::fit() {
  if (!buffer_.empty()) return;
  std::string().swap(buffer_);
  charge_.resize(0);
}

void RequestReader::forget_key() {
  if (!policy_.authorize) return;
  for (HeaderField& field : head_.fields) {
    if (field.name == "authorization") ::explicit_bzero(field.value.data(), field.value.size());
  }
}

// Of the buffer, whose content is of no more use.
void RequestReader::wipe_head() {
  if (!policy_.authorize || phase_ != Phase::kHead) return;
  ::explicit_bzero(buffer_.data(), std::min(buffer_.size(), head_.bytes > 0 ? head_.bytes : limits_.head_bytes_max));
}

void RequestReader::reset() {
  wipe_head();
  buffer_.clear();
  fit();
  phase_ = Phase::kHead;
  scan_ = {};
  head_ = {};
  admission_ = {};
}

std::size_t RequestReader::expected_bytes() const {
  return phase_ == Phase::kHead ? limits_.head_bytes_max : admission_.body_bytes;
}

}  // namespace kleptometrics::aggregator::http::guard
