// Makes requests out of the bytes of one connection, however these are cut: head, body, next head. Memory
// follows the bytes that arrived, never what a Content-Length claims. Where keys are asked for none is left behind once
// its head was judged. No I/O; one thread at a time; ends with its connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "aggregator/http/guard/budget.h"
#include "aggregator/http/guard/head.h"
#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/policy.h"
#include "aggregator/http/guard/refusal.h"
#include "aggregator/http/message.h"

namespace kleptometrics::aggregator::http::guard {

// A complete request that passed the policy, with its share of the budget.
struct Incoming {
  Head head;
  Request request;
  bool keep_alive = true;
  Charge charge;
};

class RequestReader {
 public:
  // Borrows all three; they outlive it.
  RequestReader(const GuardLimits& limits, const Policy& policy, ByteBudget& budget)
      : limits_(limits), policy_(policy), charge_(budget) {}

  // Adds what arrived. False, and nothing is added, where the budget does not allow it.
  bool append(std::string_view bytes);

  enum class Step {
    kNeedMore,  // append() more
    kContinue,  // tell the peer to go on with `100 Continue`, then ask again; once a request
    kRequest,   // take_request() next
    kRefused,   // refusal(); the connection must be closed
  };
  Step next();

  Incoming take_request();
  const Refusal& refusal() const { return refusal_; }

  // No byte of a next request has arrived.
  bool idle() const { return phase_ == Phase::kHead && buffer_.empty(); }
  bool reading_body() const { return phase_ == Phase::kBody; }

  // Forgets everything and gives the memory back.
  void reset();

 private:
  enum class Phase { kHead, kBody };
  Step next_head();
  Step refuse(Refusal refusal);
  std::size_t expected_bytes() const;
  void forget_key();
  void wipe_head();
  void fit();

  const GuardLimits& limits_;
  const Policy& policy_;
  Charge charge_;       // of the buffer's capacity, less what is not counted
  std::string buffer_;  // begins with the head, or after it with the body
  Phase phase_ = Phase::kHead;
  HeadScan scan_;
  Head head_;
  Admission admission_;
  Refusal refusal_;
};

}  // namespace kleptometrics::aggregator::http::guard
