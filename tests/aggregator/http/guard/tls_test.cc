// The front under TLS: the same answers, and peers that greet slowly, falsely or in their thousands.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/aggregator/http/guard/secure_peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

Nanos steady() { return system_clock().now().steady; }

template <typename Condition>
bool eventually(Condition condition) {
  for (const Nanos begun = steady(); steady() - begun < 5 * kNanosPerSecond;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

void allow_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, count));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The peers write by OpenSSL alone, which the other side may have closed: that shall not end the tests.
const auto ignored = std::signal(SIGPIPE, SIG_IGN);

}  // namespace

TEST_CASE("Requests are answered under TLS 1.2 and 1.3 as they are without, on one connection") {
  const SecureFront secure;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SecurePeer peer(secure.front, version);
    for (int i = 0; i < 20; ++i) {
      REQUIRE(peer.ask(get("/a?b=c")).body == "GET /a b=c,;;");
      REQUIRE(peer.ask(post("{}")).body == "POST /v1/runs ;application/json;{}");
    }
  }
  CHECK(secure.front.counts().handshakes_failed == 0);
}

TEST_CASE("The Unix socket stays as it is where TCP is under TLS") {
  const SecureFront secure;
  CHECK(secure.front.local().ask(get("/")).status == 200);
}

TEST_CASE("Large bodies and answers pass whole under TLS, also slowly, and pipelined requests in order") {
  const SecureFront secure;
  SecurePeer peer(secure.front);
  const std::string body(4U << 20U, 'x');
  CHECK(peer.ask(post(body)).body.size() > body.size());
  peer.send(get("/bytes?n=5000000") + get("/next"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(peer.reply().body.size() == 5'000'000);
  CHECK(peer.reply().body == "GET /next ;;");
}

TEST_CASE("A connection under TLS ends with a farewell, so that nobody takes a cut for the end") {
  const SecureFront secure;
  SecurePeer peer(secure.front);
  CHECK(peer.ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").status == 200);
  CHECK(peer.was_told_the_end());
  SecurePeer refused(secure.front);
  CHECK(refused.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 421);
  CHECK(refused.was_told_the_end());
}

TEST_CASE("A peer that expects 100 Continue gets it under TLS, and one that posts too much reads why not") {
  const SecureFront secure;
  SecurePeer patient(secure.front);
  CHECK(patient.ask(post_head(2, "Expect: 100-continue\r\n")).head == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(patient.ask("{}").status == 200);
  SecurePeer large(secure.front);
  REQUIRE(large.greet());
  large.send(post_head(10U << 20U));
  for (int i = 0; i < 640; ++i) large.send(std::string(16U << 10U, 'x'));
  CHECK(large.reply().status == 413);
}

TEST_CASE("Older versions, and suites without forward secrecy or authentication, are not agreed on") {
  const SecureFront secure;
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    SecurePeer old(secure.front, version);
    CHECK_FALSE(old.greet());
  }
  for (const char* suites : {"AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"}) {
    SecurePeer weak(secure.front, TLS1_2_VERSION, suites);
    CHECK_FALSE(weak.greet());
  }
  CHECK(eventually([&] { return secure.front.counts().handshakes_failed >= 3; }));
  CHECK(SecurePeer(secure.front).ask(get("/")).status == 200);
}

TEST_CASE("Nothing is renegotiated") {
  const SecureFront secure;
  SecurePeer peer(secure.front, TLS1_2_VERSION);
  CHECK(peer.ask(get("/")).status == 200);
  ::SSL_renegotiate(peer.ssl());
  CHECK(::SSL_do_handshake(peer.ssl()) != 1);
}

TEST_CASE("Keys are changed when the peer wants it, as TLS 1.3 has it, and the next request is served") {
  const SecureFront secure;
  SecurePeer peer(secure.front, TLS1_3_VERSION);
  for (int i = 0; i < 100; ++i) {
    CHECK(peer.ask(get("/")).status == 200);
    ::SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
  }
}

TEST_CASE("Records that carry nothing do not keep a connection alive") {
  GuardLimits limits;
  limits.idle_nanos_max = kNanosPerSecond / 5;
  const SecureFront secure(limits);
  SecurePeer peer(secure.front, TLS1_3_VERSION);
  CHECK(peer.ask(get("/")).status == 200);
  const bool ended = eventually([&] {
    ::SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    return ::SSL_do_handshake(peer.ssl()) != 1;
  });
  CHECK(ended);
}

TEST_CASE("Whoever speaks plain HTTP where TLS is spoken is told so, in plain HTTP") {
  const SecureFront secure;
  const Reply reply = secure.front.tcp().ask(get("/"));
  CHECK(reply.status == 400);
  CHECK(reply.body.find("https://") != std::string::npos);
  CHECK(secure.front.counts().handshakes_failed == 1);
  CHECK(secure.front.counts().requests == 0);
}

TEST_CASE("Garbage, false announcements and ends in the middle of a greeting are counted and cost nothing") {
  const SecureFront secure;
  SecurePeer(secure.front).ask(get("/"));
  const std::size_t before = resident_bytes();
  const std::string greeting = SecurePeer::greeting();
  std::string endless = greeting;
  endless[6] = 1;  // a message of 64 KiB and more
  std::string cut = greeting.substr(0, 60);
  std::string damaged = greeting;
  for (std::size_t i = 9; i < damaged.size(); i += 3) damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
  const std::string several[] = {std::string(100, '\0'),
                                 std::string("\x16\x03\x01\x00\x01\x01\x16\x03\x01", 9),
                                 endless,
                                 damaged,
                                 std::string("\x80\x2e\x01\x03\x01\x00\x15\x00\x00", 9),
                                 "\x16",
                                 "\x16\x03"};
  for (const std::string& bytes : several) {
    Peer peer = secure.front.tcp();
    peer.send(bytes);
    peer.end_sending();
    CHECK(peer.closed());
  }
  {
    Peer peer = secure.front.tcp();
    peer.send(cut);
  }
  CHECK(eventually([&] { return secure.front.counts().handshakes_failed == std::size(several) + 1; }));
  { const Peer silent = secure.front.tcp(); }  // says nothing, and is no failure
  std::vector<Peer> peers;
  for (int i = 0; i < 500; ++i) {
    peers.push_back(secure.front.tcp());
    peers.back().send(endless);
  }
  CHECK(eventually([&] { return secure.front.counts().handshakes_failed >= 500; }));
  if (!kSanitized) CHECK(resident_bytes() < before + (8U << 20U));
  CHECK(SecurePeer(secure.front).ask(get("/")).status == 200);
}

TEST_CASE("A greeting byte by byte is heard, and one that stops is given up") {
  GuardLimits limits;
  limits.head_nanos_max = kNanosPerSecond / 4;
  const SecureFront secure(limits);
  const std::string greeting = SecurePeer::greeting();
  Peer slow = secure.front.tcp();
  for (std::size_t i = 0; i + 1 < greeting.size(); ++i) slow.send(greeting.substr(i, 1));
  Peer stopped[] = {secure.front.tcp(), secure.front.tcp(), secure.front.tcp()};
  stopped[0].send("\x16");
  stopped[1].send(greeting.substr(0, 9));
  stopped[2].send(greeting.substr(0, 100));
  for (Peer& peer : stopped) CHECK(peer.closed());
  CHECK(slow.closed());
  CHECK(secure.front.counts().timed_out == 4);
  CHECK(secure.front.counts().handshakes_failed == 4);
}

TEST_CASE("A thousand greetings that stop half-way neither delay honest requests nor fill memory") {
  allow_descriptors(4096);
  const SecureFront secure;
  SecurePeer(secure.front).ask(get("/"));
  const std::size_t before = resident_bytes();
  const std::string greeting = SecurePeer::greeting();
  std::vector<Peer> half;
  for (int i = 0; i < 1000; ++i) {
    half.push_back(secure.front.tcp());
    REQUIRE(half.back().connected());
    half.back().send(i % 2 == 0 ? greeting : greeting.substr(0, greeting.size() / 2));
  }
  // More than may be connected at once: the oldest of those that greet make room.
  for (int i = 0; i < 100; ++i) {
    const Nanos begun = steady();
    REQUIRE(SecurePeer(secure.front).ask(get("/")).status == 200);
    if (!kSanitized) REQUIRE(steady() - begun < kNanosPerSecond);
  }
  const std::size_t grown = resident_bytes() - std::min(before, resident_bytes());
  INFO("grown by " << grown / 1000 << " bytes a greeting");
  if (!kSanitized) CHECK(grown < (64U << 20U));
  CHECK(secure.front.counts().overloaded == 0);
}

TEST_CASE("One greeting too many makes the oldest of them end, not the newest wait") {
  GuardLimits limits;
  limits.connections_max = 4;
  const SecureFront secure(limits);
  std::vector<Peer> half;
  for (int i = 0; i < 4; ++i) {
    half.push_back(secure.front.tcp());
    half.back().send("\x16");
  }
  CHECK(SecurePeer(secure.front).ask(get("/")).status == 200);
  CHECK(half.front().closed());
  CHECK(secure.front.counts().evicted >= 1);
}

TEST_CASE("Where no connection may give way, one more under TLS is turned away") {
  Gate gate;
  GuardLimits limits;
  limits.connections_max = 2;
  const SecureFront secure(limits, std::ref(gate));
  SecurePeer busy[] = {SecurePeer(secure.front), SecurePeer(secure.front)};
  for (SecurePeer& peer : busy) {
    REQUIRE(peer.greet());
    peer.send(get("/wait"));
  }
  gate.await(2);
  CHECK_FALSE(SecurePeer(secure.front).greet());
  CHECK(secure.front.counts().overloaded == 1);
  gate.open();
  for (SecurePeer& peer : busy) CHECK(peer.reply().status == 200);
}

TEST_CASE("Slow heads and bodies under TLS get a 408, and a peer that takes no answer is dropped") {
  GuardLimits limits;
  limits.head_nanos_max = kNanosPerSecond / 2;
  limits.request_nanos_max = kNanosPerSecond / 2;
  limits.write_nanos_max = kNanosPerSecond / 4;
  limits.workers_max = 1;
  const SecureFront secure(limits);
  SecurePeer head(secure.front);
  SecurePeer body(secure.front);
  SecurePeer deaf(secure.front);
  REQUIRE((head.greet() && body.greet() && deaf.greet()));
  deaf.send(get("/bytes?n=30000000"));
  head.send("GET / HT");
  body.send(post_head(10) + "abc");
  CHECK(head.reply().status == 408);
  CHECK(body.reply().status == 408);
  CHECK(SecurePeer(secure.front).ask(get("/")).status == 200);
  CHECK(eventually([&] { return secure.front.counts().timed_out == 3; }));
}

TEST_CASE("Stopping under TLS is prompt with idle and greeting peers, and answers what it has") {
  Gate gate;
  SecureFront secure({}, std::ref(gate));
  SecurePeer idle(secure.front);
  CHECK(idle.ask(get("/")).status == 200);
  Peer greeting = secure.front.tcp();
  greeting.send(SecurePeer::greeting());
  SecurePeer served(secure.front);
  REQUIRE(served.greet());
  served.send(get("/wait"));
  gate.await(1);
  std::thread stopping([&] { secure.front.server().stop(); });
  CHECK(greeting.closed());
  gate.open();
  CHECK(served.reply().status == 200);
  stopping.join();
}

TEST_CASE("Many clients under TLS at once are all answered") {
  const SecureFront secure;
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      for (int round = 0; round < 4; ++round) {
        SecurePeer peer(secure.front);
        for (int n = 0; n < 10; ++n)
          answered += peer.ask(post(std::string(static_cast<std::size_t>(n) * 10'000, 'x'))).status == 200;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(answered == 8 * 4 * 10);
}

TEST_CASE("A certificate is read again for new connections, and a broken one leaves the old in place") {
  SecureFront secure;
  SecurePeer before(secure.front);
  CHECK(before.ask(get("/")).status == 200);
  secure.authority.issue({{"other.example"}, {}, -1, 2}, "server");
  REQUIRE(secure.front.server().reload_certificate().ok());
  const std::string by_new_name = "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n";
  CHECK(eventually([&] { return SecurePeer(secure.front).ask(by_new_name).status == 200; }));
  CHECK(before.ask(get("/")).status == 200);
  std::ofstream(secure.files.certificate) << "broken";
  CHECK_FALSE(secure.front.server().reload_certificate().ok());
  CHECK(SecurePeer(secure.front).ask(by_new_name).status == 200);
}

TEST_CASE("Certificates and keys that are no good are refused at the start, by name") {
  const tests::Authority authority;
  const tests::PemFiles one = authority.issue({}, "one");
  const tests::PemFiles two = authority.issue({}, "two");
  const auto error_of = [](const tests::PemFiles& files) {
    Server::Options options = with(files);
    options.listen = "127.0.0.1:0";
    return std::string(Server::create(options, tell).status().message());
  };
  CHECK(error_of({one.certificate, ""}).find("both") != std::string::npos);
  CHECK(error_of({"/nowhere.pem", one.key}).find("/nowhere.pem") != std::string::npos);
  CHECK(error_of({one.certificate, "/nowhere.key"}).find("/nowhere.key") != std::string::npos);
  CHECK(error_of({one.certificate, two.key}).find(two.key) != std::string::npos);
  CHECK(error_of({one.key, one.key}).find(one.key) != std::string::npos);
}

TEST_CASE("Beyond loopback nothing is served without both keys and TLS") {
  const tests::Authority authority;
  const tests::PemFiles files = authority.issue();
  const Authorize nobody = [](const Request&, std::optional<std::string_view>) { return Denial{}; };
  const auto starts = [](Server::Options options) {
    options.listen = "0.0.0.0:0";
    return Server::create(options, tell).ok();
  };
  Server::Options keys_alone;
  keys_alone.authorize = nobody;
  CHECK_FALSE(starts({}));
  CHECK_FALSE(starts(keys_alone));
  CHECK_FALSE(starts(with(files)));
  CHECK(starts(with(files, nobody)));
}

}  // namespace kleptometrics::aggregator::http::guard
