#include "aggregator/http/guard/request_reader.h"

#include <random>
#include <string>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

using Step = RequestReader::Step;

struct Bench {
  GuardLimits limits;
  Policy policy;
  ByteBudget budget{1U << 20U};
  RequestReader reader{limits, policy, budget};
};

}  // namespace

TEST_CASE("A request is complete when its whole body has arrived") {
  Bench bench;
  REQUIRE(bench.reader.append(post_head(5) + "hel"));
  CHECK(bench.reader.next() == Step::kNeedMore);
  CHECK(bench.reader.reading_body());
  REQUIRE(bench.reader.append("lo"));
  REQUIRE(bench.reader.next() == Step::kRequest);
  const Incoming incoming = bench.reader.take_request();
  CHECK(incoming.request.body == "hello");
  CHECK(incoming.request.path == "/v1/runs");
  CHECK(bench.reader.idle());
}

TEST_CASE("Requests that arrive together come out one by one") {
  Bench bench;
  REQUIRE(bench.reader.append(get("/1") + post("two") + get("/3") + "GE"));
  for (const char* path : {"/1", "/v1/runs", "/3"}) {
    REQUIRE(bench.reader.next() == Step::kRequest);
    CHECK(bench.reader.take_request().request.path == path);
  }
  CHECK(bench.reader.next() == Step::kNeedMore);
  CHECK_FALSE(bench.reader.idle());
}

TEST_CASE("A peer that waits for 100 Continue is told once, unless it has begun already") {
  Bench bench;
  const std::string head = post_head(2, "Expect: 100-continue\r\n");
  REQUIRE(bench.reader.append(head));
  CHECK(bench.reader.next() == Step::kContinue);
  CHECK(bench.reader.next() == Step::kNeedMore);
  REQUIRE(bench.reader.append("{}"));
  REQUIRE(bench.reader.next() == Step::kRequest);
  bench.reader.take_request();
  REQUIRE(bench.reader.append(head + "{"));
  CHECK(bench.reader.next() == Step::kNeedMore);
}

TEST_CASE("A refusal comes before the body") {
  Bench bench;
  REQUIRE(bench.reader.append(post_head(100'000'000)));
  REQUIRE(bench.reader.next() == Step::kRefused);
  CHECK(bench.reader.refusal().status == 413);
}

TEST_CASE("Memory follows what arrived, stays within the budget and is given back") {
  Bench bench;
  REQUIRE(bench.reader.append(post_head(4'000'000) + "x"));
  CHECK(bench.reader.next() == Step::kNeedMore);
  CHECK(bench.budget.used() == 0);
  const std::string chunk(100'000, 'x');
  std::size_t arrived = 0;
  while (bench.reader.append(chunk)) {
    arrived += chunk.size();
    CHECK(bench.budget.used() <= 2 * arrived);
    REQUIRE(arrived < 2'000'000);
  }
  CHECK(arrived >= 500'000);
  bench.reader.reset();
  CHECK(bench.budget.used() == 0);
}

TEST_CASE("A request carries its share of the budget away") {
  Bench bench;
  REQUIRE(bench.reader.append(post(std::string(50'000, 'x')) + get("/next")));
  REQUIRE(bench.reader.next() == Step::kRequest);
  {
    const Incoming incoming = bench.reader.take_request();
    CHECK(bench.budget.used() >= 46'000);
    REQUIRE(bench.reader.next() == Step::kRequest);
    bench.reader.take_request();
    CHECK(bench.budget.used() >= 46'000);
  }
  CHECK(bench.budget.used() == 0);
}

TEST_CASE("Requests mean the same however their bytes are cut") {
  constexpr unsigned kSeed = 7;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  std::string bytes;
  for (std::size_t i = 0; i < 200; ++i) bytes += i % 3 == 0 ? get("/x") : post(std::string(i * 7, 'b'));
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    std::size_t requests = 0;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random() % (round % 2 == 0 ? 50 : 5000);
      REQUIRE(bench.reader.append(std::string_view(bytes).substr(at, size)));
      at += size;
      while (bench.reader.next() == Step::kRequest) {
        REQUIRE(bench.reader.take_request().request.body.size() == (requests % 3 == 0 ? 0 : requests * 7));
        ++requests;
      }
    }
    CHECK(requests == 200);
    CHECK(bench.budget.used() == 0);
  }
}

}  // namespace kleptometrics::aggregator::http::guard
