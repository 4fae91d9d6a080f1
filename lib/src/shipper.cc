#include "lib/src/shipper.h"

#include <algorithm>
#include <utility>

namespace kleptometrics::internal {
namespace {

// Of a push that is tried again.
std::string why_failed(const Reply& reply) {
  if (reply.status == 0) return "no answer from the aggregator: " + reply.error;
  const std::string status = "HTTP status " + std::to_string(reply.status);
  if (reply.status == 401) return "the aggregator wants an API key that it knows (" + status + ")";
  if (reply.status == 403) return "the API key may not report runs (" + status + ")";
  return "the aggregator answered with " + status;
}

}  // namespace

Shipper::Shipper(journal::Writer& journal, Transport& transport, const Clock& clock,
                 std::function<void(std::string_view)> on_trouble)
    : journal_(journal),
      transport_(transport),
      clock_(clock),
      on_trouble_(std::move(on_trouble)),
      random_(static_cast<std::uint64_t>(clock.now().wall) | 1U) {}

Shipper::Turn Shipper::turn(bool hurry) {
  if (!hurry && clock_.steady() < not_before_) return Turn::kNothing;
  bool deferred = false;
  bool any = false;
  journal::Sequence after = 0;
  for (;;) {
    const std::vector<journal::Record> records = journal_.pending(after, kBatchRuns, kBatchBytes);
    if (records.empty()) break;
    any = true;
    after = records.back().sequence;
    const Push result = push(records);
    if (result == Push::kFailed) {
      back_off();
      return Turn::kFailed;
    }
    deferred = deferred || result == Push::kDeferred;
  }
  if (deferred) {
    back_off();
    return Turn::kFailed;
  }
  delay_ = 0;
  return any ? Turn::kDelivered : Turn::kNothing;
}

Shipper::Push Shipper::push(const std::vector<journal::Record>& records) {
  Batch batch;
  std::vector<journal::Record> sent;
  sent.reserve(records.size());
  for (const journal::Record& record : records) {
    if (batch.add(record.payload)) {
      sent.push_back(record);
    } else {
      refuse(record, "a damaged record was found in the journal");
    }
  }
  if (sent.empty()) return Push::kSettled;
  const Reply reply = transport_.push(batch.body());
  if (reply.status == 200) {
    if (const auto answer = parse_answer(reply.body)) return settle(sent, *answer);
    on_trouble_("the aggregator's answer cannot be read");
    return Push::kFailed;
  }
  if (reply.status == 400 || reply.status == 413 || reply.status == 422) return split(sent, reply);
  on_trouble_(why_failed(reply));
  return Push::kFailed;
}

Shipper::Push Shipper::settle(const std::vector<journal::Record>& records, const Answer& answer) {
  std::vector<const Rejected*> refused(records.size(), nullptr);
  for (const Rejected& rejected : answer.rejected)
    if (rejected.index < refused.size()) refused[rejected.index] = &rejected;
  counts_.duplicates += answer.duplicates;
  bool deferred = false;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (refused[i] == nullptr) {
      done(records[i]);
    } else if (refused[i]->retryable) {
      deferred = true;
      on_trouble_("the aggregator put off a run: " + refused[i]->detail);
    } else {
      refuse(records[i], "the aggregator refused a run: " + refused[i]->detail);
    }
  }
  return deferred ? Push::kDeferred : Push::kSettled;
}

// The push as a whole was refused for good: halves it until the run at fault stands alone.
Shipper::Push Shipper::split(const std::vector<journal::Record>& records, const Reply& reply) {
  if (records.size() == 1) {
    refuse(records.front(), "the aggregator refused a run with HTTP status " + std::to_string(reply.status));
    return Push::kSettled;
  }
  const auto middle = records.begin() + static_cast<std::ptrdiff_t>(records.size() / 2);
  const Push first = push({records.begin(), middle});
  if (first == Push::kFailed) return first;
  const Push second = push({middle, records.end()});
  return second == Push::kSettled ? first : second;
}

void Shipper::done(const journal::Record& record) {
  ++counts_.delivered;
  if (record.terminal) {
    journal_.retire(record.sequence);
  } else {
    journal_.delivered(record.sequence);
  }
}

void Shipper::refuse(const journal::Record& record, std::string_view why) {
  ++counts_.rejected;
  journal_.retire(record.sequence);
  on_trouble_(why);
}

void Shipper::back_off() {
  ++counts_.retries;
  delay_ = delay_ == 0 ? kFirstDelay : std::min(delay_ * 2, kLongestDelay);
  random_ ^= random_ << 13U;  // xorshift64 (Marsaglia 2003)
  random_ ^= random_ >> 7U;
  random_ ^= random_ << 17U;
  not_before_ = clock_.steady() + delay_ - static_cast<Nanos>(random_ % static_cast<std::uint64_t>(delay_ / 2));
}

}  // namespace kleptometrics::internal
