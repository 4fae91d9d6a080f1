// What happens where a limit over all connections is reached, or the process runs out of descriptors.
#include <sys/resource.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

Nanos steady() { return system_clock().now().steady; }

// Waits, for a few seconds at most.
template <typename Condition>
bool eventually(Condition condition) {
  for (const Nanos begun = steady(); steady() - begun < 5 * kNanosPerSecond;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Lets the process open one more descriptor, for a peer of the test: none is left for the other side of it.
class OneDescriptorLeft {
 public:
  OneDescriptorLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd lowest_free(::socket(AF_UNIX, SOCK_STREAM, 0));
    const rlimit low{static_cast<rlim_t>(lowest_free.get()) + 1, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  OneDescriptorLeft(const OneDescriptorLeft&) = delete;
  ~OneDescriptorLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("Two hundred slow peers do not delay one that is not") {
  GuardLimits limits;
  limits.workers_max = 1;
  limits.head_nanos_max = kNanosPerSecond / 2;
  const Front front(limits);
  std::vector<Peer> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(front.tcp());
    slow.back().send("GET / HTTP/1.1\r\nHost: loc");
  }
  Peer prompt = front.tcp();
  const Nanos begun = steady();
  for (int i = 0; i < 20; ++i) REQUIRE(prompt.ask(get("/")).status == 200);
  CHECK(steady() - begun < kNanosPerSecond / 2);
  for (Peer& peer : slow) REQUIRE(peer.reply().status == 408);
  CHECK(prompt.ask(get("/")).status == 200);
}

TEST_CASE("A busy TCP side does not delay the Unix socket") {
  Gate gate;
  GuardLimits limits;
  limits.workers_max = 1;
  Front front(limits, std::ref(gate));
  Peer busy = front.tcp();
  busy.send(get("/wait"));
  gate.await(1);
  CHECK(front.local().ask(get("/")).status == 200);
  gate.open();
  CHECK(busy.reply().status == 200);
}

TEST_CASE("The oldest idle connection gives way to a new one") {
  GuardLimits limits;
  limits.connections_max = 3;
  limits.workers_max = 1;  // several may hand their connections back in another order than they answered
  const Front front(limits);
  std::vector<Peer> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(front.tcp());
    CHECK(peers.back().ask(get("/")).status == 200);
  }
  CHECK(peers[0].ask(get("/")).status == 200);  // so that the second is the oldest
  CHECK(front.tcp().ask(get("/")).status == 200);
  CHECK(peers[1].closed());
  CHECK(peers[0].ask(get("/")).status == 200);
  CHECK(front.counts().evicted >= 1);
}

TEST_CASE("One connection too many is told to come back later where none is idle") {
  Gate gate;
  GuardLimits limits;
  limits.connections_max = 2;
  Front front(limits, std::ref(gate));
  Peer busy[] = {front.tcp(), front.tcp()};
  for (Peer& peer : busy) peer.send(get("/wait"));
  gate.await(2);
  const Reply reply = front.tcp().ask(get("/"));
  CHECK(reply.status == 503);
  CHECK(reply.has("Retry-After: 1"));
  gate.open();
  for (Peer& peer : busy) CHECK(peer.reply().status == 200);
}

TEST_CASE("A full queue of waiting requests turns the next one away at once") {
  Gate gate;
  GuardLimits limits;
  limits.workers_max = 1;
  limits.waiting_requests_max = 1;
  Front front(limits, std::ref(gate));
  Peer served = front.tcp();
  served.send(get("/wait"));
  gate.await(1);
  Peer waiting = front.tcp();
  waiting.send(get("/"));
  REQUIRE(eventually([&] { return front.counts().requests == 2; }));
  const Reply reply = front.tcp().ask(get("/"));
  CHECK(reply.status == 503);
  CHECK(reply.has("Retry-After: 1"));
  gate.open();
  CHECK(served.reply().status == 200);
  CHECK(waiting.reply().status == 200);
}

TEST_CASE("Bytes beyond what all requests may hold are turned away, and room comes back") {
  GuardLimits limits;
  limits.buffered_bytes_max = 300'000;
  const Front front(limits);
  const std::string part(90'000, 'x');
  std::vector<Peer> holders;
  for (int i = 0; i < 2; ++i) {
    holders.push_back(front.tcp());
    holders.back().send(post_head(100'000) + part);
  }
  Peer late = front.tcp();
  REQUIRE(eventually([&] { return front.counts().connections == 3; }));
  const auto fits = [&] {
    Peer peer = front.local();
    return peer.ask(post(std::string(150'000, 'y'))).status;
  };
  REQUIRE(eventually([&] { return fits() == 503; }));
  CHECK(late.ask(get("/")).status == 200);
  for (Peer& holder : holders) CHECK(holder.ask(std::string(10'000, 'x')).status == 200);
  CHECK(eventually([&] { return fits() == 200; }));  // room comes back behind the answer
}

TEST_CASE("Running out of descriptors pauses accepting and nothing else") {
  Gate gate;
  GuardLimits limits;
  limits.accept_pause_nanos = kNanosPerSecond / 100;
  Front front(limits, std::ref(gate));
  Peer busy = front.tcp();
  busy.send(get("/wait"));
  gate.await(1);
  {
    const OneDescriptorLeft scarcity;
    Peer late = front.tcp();
    REQUIRE(late.connected());
    late.send(get("/"));
    CHECK(eventually([&] { return front.counts().accept_failures >= 3; }));
    gate.open();
    CHECK(busy.reply().status == 200);
    // Idle now, the busy one gives its descriptor to the late one.
    CHECK(late.reply().status == 200);
    CHECK(busy.closed());
  }
  CHECK(front.tcp().ask(get("/")).status == 200);
}

TEST_CASE("Many clients at once are all answered") {
  const Front front;
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        Peer peer = i % 2 == 0 ? front.tcp() : front.local();
        for (int n = 0; n < 10; ++n)
          answered += peer.ask(post(std::string(static_cast<std::size_t>(n) * 1000, 'x'))).status == 200;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(answered == 16 * 5 * 10);
}

}  // namespace kleptometrics::aggregator::http::guard
