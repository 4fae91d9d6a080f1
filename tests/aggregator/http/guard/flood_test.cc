// The floods that kill or fill a bare cpp-httplib 0.11.4: here memory stays where it was, and others are
// served meanwhile.
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

constexpr std::size_t kMiB = 1U << 20U;

// Checks that memory did not grow beyond a bound, where memory can be measured at all.
class Growth {
 public:
  explicit Growth(const Front& front) : front_(front) {
    front_.tcp().ask(get("/"));  // threads and libraries have their memory
    before_ = resident_bytes();
  }
  void stays_below(std::size_t bytes_max) const {
    CHECK(front_.tcp().ask(get("/")).status == 200);
    const std::size_t now = resident_bytes();
    if (!kSanitized) CHECK(now < before_ + bytes_max);
  }

 private:
  const Front& front_;
  std::size_t before_ = 0;
};

// Sends the same bytes until the other side has had enough, or 64 MiB are sent. The answer's status.
int flood(Peer peer, const std::string& start, const std::string& more) {
  peer.send(start);
  for (std::size_t sent = 0; sent < 64 * kMiB && peer.send(more); sent += more.size()) {
  }
  return peer.reply().status;
}

void allow_descriptors(rlim_t count) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, count));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

TEST_CASE("Endless lines and bodies of every kind cost no memory") {
  const Front front;
  const Growth growth(front);
  const std::string start = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const std::string megabyte(kMiB, 'a');
  std::string lines;
  while (lines.size() < kMiB) lines += "a: b\r\n";
  // Whoever sends more than is drained may be reset before it reads the answer: status 0.
  const auto refused = [](int status, int expected) { return status == expected || status == 0; };
  CHECK(refused(flood(front.tcp(), "GET /", megabyte), 414));
  CHECK(refused(flood(front.tcp(), start + "a: ", megabyte), 431));
  CHECK(refused(flood(front.tcp(), start, lines), 431));
  CHECK(refused(flood(front.tcp(), post_head(0, "Transfer-Encoding: chunked\r\n"), "100000\r\n" + megabyte + "\r\n"),
                501));
  CHECK(refused(flood(front.tcp(), post_head(kMiB, "Content-Encoding: gzip\r\n"), megabyte), 415));
  CHECK(refused(flood(front.tcp(), post_head(1ULL << 40U), megabyte), 413));
  growth.stays_below(16 * kMiB);
}

TEST_CASE("A path as long as is allowed, and one that is longer, crash nothing") {
  const Front front;
  Peer peer = front.tcp();
  CHECK(peer.ask(get("/" + std::string(8100, 'a'))).status == 200);
  CHECK(peer.ask(get("/" + std::string(9000, 'a'))).status == 414);
  CHECK(front.tcp().ask(get("/?" + std::string(8100, '&'))).status == 200);
}

TEST_CASE("A thousand peers that announce large bodies and send a bit hold no more than they sent") {
  allow_descriptors(4096);
  const Front front;
  const Growth growth(front);
  const std::string request = post_head(4 * kMiB) + std::string(1000, 'x');
  std::vector<Peer> peers;
  for (int i = 0; i < 1000; ++i) {
    peers.push_back(front.tcp());
    REQUIRE(peers.back().connected());
    REQUIRE(peers.back().send(request));
  }
  growth.stays_below(16 * kMiB);
}

TEST_CASE("A thousand peers that send what they announced are held to the budget") {
  allow_descriptors(4096);
  const Front front;
  const Growth growth(front);
  const std::string part(100'000, 'x');
  std::vector<Peer> peers;
  for (int i = 0; i < 1000; ++i) {
    peers.push_back(front.tcp());
    REQUIRE(peers.back().connected());
    peers.back().send(post_head(4 * kMiB) + part);
  }
  growth.stays_below(48 * kMiB);
  CHECK(front.counts().overloaded > 500);
}

TEST_CASE("Refused and abandoned connections leave nothing behind") {
  const Front front;
  const Growth growth(front);
  for (int i = 0; i < 3000; ++i) {
    Peer peer = front.local();
    peer.send(i % 3 == 0   ? "nonsense\r\n\r\n"
              : i % 3 == 1 ? post_head(100'000) + std::string(20'000, 'x')
                           : get("/bytes?n=20000"));
  }
  growth.stays_below(16 * kMiB);
}

}  // namespace kleptometrics::aggregator::http::guard
