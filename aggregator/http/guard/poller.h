// The thread of one listening address: accepts, reads whole requests, hands them to the address's workers,
// and finishes sending what a peer does not take at once. Slow peers cost memory, within limits, and no
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/http/guard/budget.h"
#include "aggregator/http/guard/connections.h"
#include "aggregator/http/guard/counts.h"
#include "aggregator/http/guard/events.h"
#include "aggregator/http/guard/listener.h"
#include "aggregator/http/guard/policy.h"
#include "aggregator/http/guard/workers.h"
#include "lib/base/mutex.h"
#include "lib/tls/context.h"

namespace kleptometrics::aggregator::http::guard {

// What the pollers of a server share; outlives them.
struct Shared {
  Shared(const GuardLimits& its_limits, Handler its_handler)
      : limits(its_limits), handler(std::move(its_handler)), budget(limits.buffered_bytes_max) {}

  const GuardLimits limits;
  const Handler handler;
  ByteBudget budget;
  AtomicCounts counts;
};

// How an address is served: to whom, and whether under TLS.
struct Manner {
  Policy policy;
  std::shared_ptr<const tls::Context> tls;  // null: bare
};

// start() and stop() by one thread, each once; serve_as() by any; everything else happens on its own threads.
class Poller {
 public:
  static absl::StatusOr<std::unique_ptr<Poller>> create(Listener listener, Manner manner, Shared& shared);
  ~Poller();  // stop()

  void start();

  // Stops listening, closes idle connections, lets complete requests be answered within stop_nanos_max, and
  // waits for handlers that still run. begin_stop() only asks for it, so that two pollers can stop at the
  // same time.
  void begin_stop();
  void stop();

  // From the next greeting on, and for the heads that are complete after it. The first is under TLS if this is.
  void serve_as(Manner manner);

  const Listener& listener() const { return listener_; }

 private:
  Poller(Listener listener, Manner manner, Events events, Shared& shared);

  // poller.cc: the loop.
  void run();
  void turn();
  Nanos wait_time() const;
  void accept_some();
  void receive(UniqueFd fd);
  bool make_room();
  void listen_again();
  void pause_accepting();
  void take_answers();
  void expire();
  void shut_down();
  void add_answer(std::unique_ptr<Exchange> exchange);

  // poller_greeting.cc: what happens before TLS is agreed on.
  void greet(Connection& connection);
  void on_greeting(Connection& connection);
  bool take_hello(Connection& connection);
  bool begin_tls(Connection& connection);
  void fail_greeting(Connection& connection);

  // poller_steps.cc: what happens to one connection.
  void on_event(Connection& connection);
  void on_readable(Connection& connection);
  void advance(Connection& connection);
  void dispatch(Connection& connection);
  void on_answer(Exchange& exchange);
  void send_refusal(Connection& connection, const Refusal& refusal);
  void refuse(Connection& connection, const Refusal& refusal);
  void overload(Connection& connection, std::string_view why);
  void write_out(Connection& connection);
  void resume(Connection& connection);
  void await_bytes(Connection& connection);
  void drain(Connection& connection);
  void on_drain(Connection& connection);
  void on_deadline(Connection& connection);
  void watch(Connection& connection, std::uint32_t events);
  void close(Connection& connection);

  Shared& shared_;
  const GuardLimits& limits_;
  Listener listener_;
  Events events_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Exchange>> answers_ KLEPTO_GUARDED_BY(mutex_);
  bool stop_asked_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::optional<Manner> next_manner_ KLEPTO_GUARDED_BY(mutex_);

  // Of the poller's thread alone.
  Manner manner_;
  Connections connections_;
  std::vector<char> scratch_;
  std::uint32_t listener_watched_ = 0;
  Nanos now_ = 0;                   // steady, once a turn
  Nanos accept_again_at_ = kNever;  // while accepting is paused
  Nanos stop_at_ = kNever;          // once stopping: when to give up

  Workers workers_;  // after everything that add_answer() touches
  std::thread thread_;
};

}  // namespace kleptometrics::aggregator::http::guard
