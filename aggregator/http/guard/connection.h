// One connection as its poller keeps it: plain state, changed by the poller's thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "aggregator/base/unique_fd.h"
#include "aggregator/http/guard/budget.h"
#include "aggregator/http/guard/channel.h"
#include "aggregator/http/guard/request_reader.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::http::guard {

inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

enum class State {
  kGreeting,  // TLS is being agreed on
  kReading,   // bytes of a request are awaited
  kServing,   // a worker has the request; the socket is not watched, the connection is not closed
  kWriting,   // the peer has yet to take the rest of `out`
  kDraining,  // everything is said; what the peer still sends is thrown away until it closes
  kClosed,    // kept only until the events at hand are done with
};

struct Connection {
  Connection(UniqueFd socket, const GuardLimits& limits, const Policy& policy, ByteBudget& budget)
      : fd(std::move(socket)), reader(limits, policy, budget), out_charge(budget) {}

  Channel channel() const { return {fd.get(), tls.get()}; }

  UniqueFd fd;
  std::unique_ptr<tls::Stream> tls;  // once a greeting has begun that is worth it
  std::string hello;                 // its first bytes, before that
  RequestReader reader;
  State state = State::kReading;
  std::uint32_t watched = 0;  // epoll events
  Nanos deadline = kNever;    // steady
  Nanos request_started = 0;  // steady, first byte, of a greeting too; 0 between requests
  std::size_t requests = 0;   // served so far
  std::string out;
  std::size_t out_sent = 0;
  Charge out_charge;
  bool close_when_written = false;
  std::size_t drained_bytes = 0;

  // Of Connections.
  std::size_t index = 0;
  bool expendable = false;
  std::list<Connection*>::iterator expendable_position;
};

}  // namespace kleptometrics::aggregator::http::guard
