// All connections of one poller: who may be closed to make room, and whose time is up. For the poller's
// thread.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "aggregator/http/guard/connection.h"

namespace kleptometrics::aggregator::http::guard {

class Connections {
 public:
  Connection& add(std::unique_ptr<Connection> connection);

  // Closes the socket and forgets the connection; the object lives until bury(), for events already at hand.
  void close(Connection& connection);
  void bury() { closed_.clear(); }

  std::size_t size() const { return open_.size(); }

  // Expendable: idle, draining, or before its first request; nothing is lost but time if it is closed. The oldest of
  // them, or null.
  void set_expendable(Connection& connection, bool expendable);
  Connection* oldest_expendable() const { return expendable_.empty() ? nullptr : expendable_.front(); }

  // kNever takes the deadline away.
  void set_deadline(Connection& connection, Nanos deadline);
  // No deadline comes before this; it may be too early, never too late. kNever where there is none.
  Nanos next_deadline() const { return next_deadline_; }
  // Those whose deadline has come; also makes next_deadline() exact for the rest. Costs a walk over all.
  std::vector<Connection*> due(Nanos now);

  // A copy, so that a walk over it may close.
  std::vector<Connection*> all() const;

 private:
  std::vector<std::unique_ptr<Connection>> open_;
  std::vector<std::unique_ptr<Connection>> closed_;
  std::list<Connection*> expendable_;  // oldest first
  Nanos next_deadline_ = kNever;
};

}  // namespace kleptometrics::aggregator::http::guard
