#include "aggregator/http/guard/server.h"

#include <chrono>
#include <string>
#include <thread>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

Nanos steady() { return system_clock().now().steady; }

}  // namespace

TEST_CASE("A request on TCP and on the Unix socket reaches the handler, and its answer the peer") {
  const Front front;
  for (const bool local : {false, true}) {
    Peer peer = local ? front.local() : front.tcp();
    const Reply reply = peer.ask(post_head(7).insert(13, "?a=1&b=2&a=3") + "{\"a\":1}");
    CHECK(reply.status == 200);
    CHECK(reply.body == "POST /v1/runs a=1,b=2,a=3,;application/json;{\"a\":1}");
    CHECK(reply.has("Content-Type: text/plain"));
    CHECK(reply.has("X-Content-Type-Options: nosniff"));
    CHECK(reply.has("Cache-Control: no-store"));
    CHECK(reply.has("Content-Security-Policy: default-src 'none'"));
  }
}

TEST_CASE("A connection is kept for the next request") {
  const Front front;
  Peer peer = front.tcp();
  for (int i = 0; i < 50; ++i) {
    REQUIRE(peer.ask(get("/a")).body == "GET /a ;;");
    REQUIRE(peer.ask(post("{}")).status == 200);
  }
}

TEST_CASE("A connection is closed when the peer asks for it, and of HTTP/1.0 unless it asks otherwise") {
  const Front front;
  Peer closing = front.tcp();
  CHECK(closing.ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").has("Connection: close"));
  CHECK(closing.closed());
  Peer old = front.tcp();
  CHECK(old.ask("GET / HTTP/1.0\r\n\r\n").has("Connection: close"));
  CHECK(old.closed());
  Peer staying = front.tcp();
  const std::string stay = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CHECK(staying.ask(stay).has("Connection: keep-alive"));
  CHECK(staying.ask(stay).status == 200);
}

TEST_CASE("A connection serves its allotted number of requests and says so with the last") {
  GuardLimits limits;
  limits.connection_requests_max = 3;
  const Front front(limits);
  Peer peer = front.tcp();
  peer.send(get("/1") + get("/2") + get("/3") + get("/4"));
  CHECK_FALSE(peer.reply().has("Connection: close"));
  CHECK_FALSE(peer.reply().has("Connection: close"));
  CHECK(peer.reply().has("Connection: close"));
  CHECK(peer.reply().status == 0);
  CHECK(peer.closed());
}

TEST_CASE("Pipelined requests are answered in order") {
  const Front front;
  Peer peer = front.local();
  std::string all;
  for (int i = 0; i < 300; ++i) all += i % 2 == 0 ? get("/" + std::to_string(i)) : post(std::to_string(i));
  REQUIRE(peer.send(all));
  peer.end_sending();
  for (int i = 0; i < 300; ++i) {
    const std::string expected =
        i % 2 == 0 ? "GET /" + std::to_string(i) + " ;;" : "POST /v1/runs ;application/json;" + std::to_string(i);
    REQUIRE(peer.reply().body == expected);
  }
  CHECK(peer.closed());
}

TEST_CASE("A HEAD is answered like a GET, without the body") {
  const Front front;
  Peer peer = front.tcp();
  peer.send("HEAD /bytes?n=100 HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/next"));
  const Reply head = peer.reply(true);
  CHECK(head.status == 200);
  CHECK(head.has("Content-Length: 100"));
  CHECK(peer.reply().body == "GET /next ;;");
}

TEST_CASE("A 204 has neither body nor length") {
  const Front front;
  Peer peer = front.tcp();
  const Reply reply = peer.ask(get("/nothing"));
  CHECK(reply.status == 204);
  CHECK(reply.head.find("Content-Length") == std::string::npos);
  CHECK(peer.ask(get("/next")).status == 200);
}

TEST_CASE("Large answers arrive whole, also when the peer takes its time") {
  const Front front;
  Peer peer = front.local();
  peer.send(get("/bytes?n=5000000") + get("/next"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(peer.reply().body.size() == 5'000'000);
  CHECK(peer.reply().body == "GET /next ;;");
}

TEST_CASE("A handler that throws becomes a 500 that does not tell what was thrown") {
  const Front front;
  Peer peer = front.tcp();
  const Reply reply = peer.ask(get("/throw"));
  CHECK(reply.status == 500);
  CHECK(reply.has("Content-Type: application/problem+json"));
  CHECK((reply.head + reply.body).find("secret") == std::string::npos);
  CHECK(peer.ask(get("/")).status == 200);
}

TEST_CASE("Headers and statuses of a handler cannot break the framing") {
  const Front front({}, [](const Request& request) {
    Response response;
    response.status = request.path == "/zero" ? 0 : 404;
    response.body = "{}";
    response.headers = {
        {"Connection", "upgrade"}, {"Content-Length", "9"},        {"X-A", "b\r\nX-Evil: c"}, {"X B", "c"},
        {"X-Good", "d"},           {"Cache-Control", "max-age=1"}, {"Content-Type", "x/y"}};
    return response;
  });
  Peer peer = front.tcp();
  const Reply reply = peer.ask(get("/"));
  CHECK(reply.status == 404);
  CHECK(reply.body == "{}");
  CHECK(reply.has("X-Good: d"));
  CHECK(reply.has("Cache-Control: max-age=1"));
  CHECK(reply.has("Content-Type: application/json"));
  for (const char* absent : {"upgrade", "Evil", "X B", "x/y", "no-store"})
    CHECK(reply.head.find(absent) == std::string::npos);
  CHECK(peer.ask(get("/zero")).status == 500);
}

TEST_CASE("A peer that expects 100 Continue gets it, then its answer") {
  const Front front;
  Peer peer = front.tcp();
  CHECK(peer.ask(post_head(2, "Expect: 100-continue\r\n")).head == "HTTP/1.1 100 Continue\r\n\r\n");
  const Reply reply = peer.ask("{}");
  CHECK(reply.status == 200);
  CHECK(reply.body.back() == '}');
}

TEST_CASE("A client that posts 10 MiB reads why that was refused") {
  const Front front;
  for (const bool local : {false, true}) {
    Peer peer = local ? front.local() : front.tcp();
    CHECK(peer.send(post_head(10U << 20U)));
    CHECK(peer.send(std::string(10U << 20U, 'x')));
    const Reply reply = peer.reply();
    CHECK(reply.status == 413);
    CHECK(reply.has("Connection: close"));
    CHECK(reply.body.find(R"("status":413,"detail":"the body is larger than 4194304 bytes)") != std::string::npos);
  }
  CHECK(front.counts().refused == 2);
}

TEST_CASE("After a refusal nothing more is taken from the connection") {
  const Front front;
  Peer peer = front.tcp();
  peer.send(post_head(5'000'000) + get("/smuggled"));
  CHECK(peer.reply().status == 413);
  CHECK(peer.reply().status == 0);
  CHECK(front.counts().requests == 0);
}

TEST_CASE("A foreign Host is refused on TCP and goes on the Unix socket") {
  const Front front;
  const std::string request = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
  CHECK(front.tcp().ask(request).status == 421);
  CHECK(front.local().ask(request).status == 200);
}

TEST_CASE("A request that its peer finishes by half-closing is answered") {
  const Front front;
  Peer peer = front.tcp();
  peer.send(get("/"));
  peer.end_sending();
  CHECK(peer.reply().status == 200);
  CHECK(peer.closed());
}

TEST_CASE("A request that stops arriving gets a 408, an idle connection just ends") {
  GuardLimits limits;
  limits.head_nanos_max = kNanosPerSecond / 10;
  limits.request_nanos_max = kNanosPerSecond / 5;
  limits.idle_nanos_max = kNanosPerSecond / 10;
  const Front front(limits);
  Peer head = front.tcp();
  Peer body = front.tcp();
  Peer idle = front.tcp();
  head.send("GET / HT");
  body.send(post_head(10) + "abc");
  CHECK(head.reply().status == 408);
  CHECK(body.reply().status == 408);
  CHECK(idle.reply().status == 0);
  CHECK(idle.closed());
  CHECK(front.counts().timed_out == 2);
}

TEST_CASE("A peer that takes no answer is dropped and held no thread meanwhile") {
  GuardLimits limits;
  limits.workers_max = 1;
  limits.write_nanos_max = kNanosPerSecond / 5;
  limits.drain_nanos_max = kNanosPerSecond / 5;
  const Front front(limits);
  Peer deaf[4] = {front.local(), front.local(), front.local(), front.local()};
  for (Peer& peer : deaf) peer.send(get("/bytes?n=4000000"));
  const Nanos asked = steady();
  CHECK(front.local().ask(get("/")).status == 200);
  CHECK(steady() - asked < kNanosPerSecond);
  while (front.counts().timed_out < 4 && steady() - asked < 4 * kNanosPerSecond) std::this_thread::yield();
  CHECK(front.counts().timed_out == 4);
}

TEST_CASE("Stopping is prompt with idle connections and removes the socket file") {
  Front front;
  Peer idle[] = {front.tcp(), front.local(), front.tcp()};
  for (Peer& peer : idle) CHECK(peer.ask(get("/")).status == 200);
  const std::string path = front.server().socket_path();
  const Nanos begun = steady();
  front.server().stop();
  CHECK(steady() - begun < kNanosPerSecond / 2);
  for (Peer& peer : idle) CHECK(peer.closed());
  CHECK_FALSE(front.local().connected());
  CHECK(::access(path.c_str(), F_OK) != 0);
  front.server().stop();
}

TEST_CASE("Stopping lets a request in progress finish and turns an unfinished one away") {
  Gate gate;
  Front front({}, std::ref(gate));
  Peer served = front.tcp();
  Peer partial = front.tcp();
  served.send(get("/wait"));
  gate.await(1);
  partial.send("GET / HT");
  CHECK(front.tcp().ask(get("/")).status == 200);  // by now the partial one was read
  std::thread stopping([&] { front.server().stop(); });
  CHECK(partial.reply().status == 503);
  gate.open();
  CHECK(served.reply().status == 200);
  CHECK(served.closed());
  stopping.join();
}

TEST_CASE("A server that was never started stops, and frees its addresses") {
  const TemporaryFolder folder;
  Server::Options options;
  options.socket_path = folder.file();
  for (int i = 0; i < 2; ++i) {
    const auto server = Server::create(options, tell);
    REQUIRE(server.ok());
    CHECK((*server)->listen_address().empty());
    CHECK((*server)->socket_path() == folder.file());
  }
}

TEST_CASE("A server without an address, or with one in use, is an error") {
  CHECK(absl::IsInvalidArgument(Server::create({}, tell).status()));
  Front front;
  Server::Options options;
  options.listen = front.server().listen_address();
  CHECK(Server::create(options, tell).status().message() ==
        absl::string_view("listen on " + options.listen + ": address already in use"));
}

}  // namespace kleptometrics::aggregator::http::guard
