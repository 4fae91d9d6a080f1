// The threads of one address that run handlers, and the bounded queue before them. A thread is taken by a
// complete request and left when the kernel has taken as much of the answer as it will at once; it never
// waits for a peer.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "aggregator/http/guard/channel.h"
#include "aggregator/http/guard/engine.h"
#include "aggregator/http/guard/limits.h"
#include "aggregator/http/guard/request_reader.h"
#include "lib/base/mutex.h"

namespace kleptometrics::aggregator::http::guard {

struct Connection;

// A request on its way through the workers and back.
struct Exchange {
  Connection* connection;  // the poller's; not touched by a worker
  Channel channel;         // the connection's, for the first attempt to send: nobody else has its turn meanwhile
  Incoming incoming;
  std::string answer;  // set by a worker, with the three below
  std::size_t sent = 0;
  bool keep_alive = false;
  bool failed = false;  // the peer is gone
};

// submit() and stop() by the poller's thread; `done` is called by the workers, several at once.
class Workers {
 public:
  using Done = std::function<void(std::unique_ptr<Exchange>)>;

  // Borrows handler and limits; they outlive it. Threads begin with start().
  Workers(const Handler& handler, const GuardLimits& limits, Done done);
  ~Workers();  // stop()

  void start();
  // Lets what is being handled finish, however long the handler takes; what still waits is dropped.
  void stop();

  // False, with the exchange left as it was, when the queue is full.
  bool submit(std::unique_ptr<Exchange>& exchange);

 private:
  void loop();
  std::unique_ptr<Exchange> wait_for_one();

  const Handler& handler_;
  const GuardLimits& limits_;
  const Done done_;
  Mutex mutex_;
  Condition filled_;
  std::deque<std::unique_ptr<Exchange>> waiting_ KLEPTO_GUARDED_BY(mutex_);
  bool stopping_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kleptometrics::aggregator::http::guard
