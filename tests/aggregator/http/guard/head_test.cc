#include "aggregator/http/guard/head.h"

#include <random>
#include <string>

#include "aggregator/http/guard/policy.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

std::variant<NeedMore, Head, Refusal> parse(std::string_view bytes) {
  HeadScan scan;
  return parse_head(bytes, GuardLimits(), scan);
}

// 0: a head; -1: more is needed; else the refusal's status.
int verdict(std::string_view bytes) {
  const auto parsed = parse(bytes);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return refusal->status;
  return std::holds_alternative<Head>(parsed) ? 0 : -1;
}

std::string with_lines(std::size_t count) {
  std::string head = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < count; ++i) head += "a: b\r\n";
  return head + "\r\n";
}

std::string with_target(std::size_t line_bytes) {
  const std::string_view around = "GET / HTTP/1.1\r\n";
  return "GET /" + std::string(line_bytes - around.size(), 'a') + " HTTP/1.1\r\n\r\n";
}

}  // namespace

TEST_CASE("A head is taken apart into method, target, version and fields") {
  const std::string bytes = "POST /v1/runs?a=b HTTP/1.0\r\nHost: x\r\nX-Long-Name:\t two  words \r\nempty:\r\n\r\n";
  const auto parsed = parse(bytes + "body");
  REQUIRE(std::holds_alternative<Head>(parsed));
  const Head& head = std::get<Head>(parsed);
  CHECK(head.method == "POST");
  CHECK(head.target == "/v1/runs?a=b");
  CHECK(head.minor_version == 0);
  CHECK(head.bytes == bytes.size());
  REQUIRE(head.fields.size() == 3);
  CHECK(*head.find("x-long-name") == "two  words");
  CHECK(head.find("empty")->empty());
  CHECK(head.find("absent") == nullptr);
  CHECK(head.count("host") == 1);
}

TEST_CASE("A head that is not HTTP is refused with a status that says what is wrong") {
  struct Row {
    std::string bytes;
    int status;
  };
  const std::string h = "GET / HTTP/1.1\r\n";
  const Row rows[] = {
      {"", -1},
      {"G", -1},
      {h, -1},
      {h + "Host: x\r\n", -1},
      {h + "\r\n", 0},
      {"M-SEARCH * HTTP/1.1\r\n\r\n", 0},
      {h + "a: \xc3\xa4\r\n\r\n", 0},
      {"\r\n" + h, 400},
      {"\x16\x03\x01", 400},
      {" GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\n\n", 400},
      {h + "a: b\n\r\n", 400},
      {h + "a: b\n", 400},
      {h + "\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET /  HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\n\r\n", 400},
      {"GET / x HTTP/1.1\r\n\r\n", 400},
      {"GET\t/ HTTP/1.1\r\n\r\n", 400},
      {"GE\"T / HTTP/1.1\r\n\r\n", 400},
      {"GET /\xff HTTP/1.1\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {std::string("GET /\0 HTTP/1.1\r\n\r\n", 20), 400},
      {"GET / http/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.2\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\n", 505},
      {"GET / HTTP/1.1x\r\n\r\n", 505},
      {h + "a\r\n\r\n", 400},
      {h + ": b\r\n\r\n", 400},
      {h + "a : b\r\n\r\n", 400},
      {h + " a: b\r\n\r\n", 400},
      {h + "a: b\r\n c\r\n\r\n", 400},
      {h + "a: b\r\n\tc: d\r\n\r\n", 400},
      {h + "a b: c\r\n\r\n", 400},
      {h + "\xc3\xa4: b\r\n\r\n", 400},
      {h + "a: b\rc\r\n\r\n", 400},
      {h + std::string("a: b\0c\r\n\r\n", 11), 400},
      {h + "a: b\x7f\r\n\r\n", 400},
      {with_lines(64), 0},
      {with_lines(65), 431},
      {with_target(8192), 0},
      {with_target(8193), 414},
      {"GET /" + std::string(9000, 'a'), 414},
      {h + "a: " + std::string(17000, 'a'), 431},
      {h + "a: " + std::string(16000, 'a'), -1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes.substr(0, 80), row.bytes.size());
    CHECK(verdict(row.bytes) == row.status);
  }
}

TEST_CASE("A head means the same however its bytes are cut") {
  const std::string whole = "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc";
  HeadScan scan;
  for (std::size_t i = 0; i + 3 < whole.size(); ++i) {
    REQUIRE(std::holds_alternative<NeedMore>(parse_head(std::string_view(whole).substr(0, i), GuardLimits(), scan)));
  }
  const auto parsed = parse_head(whole, GuardLimits(), scan);
  REQUIRE(std::holds_alternative<Head>(parsed));
  CHECK(std::get<Head>(parsed).fields.size() == 2);
}

TEST_CASE("Any mutation of a head ends in a head that obeys the rules, a refusal, or a wish for more") {
  const std::string seeds[] = {
      "GET /v1/stats?job=a%20b&group=day HTTP/1.1\r\nHost: localhost:9461\r\nAccept: */*\r\n\r\n",
      "POST /v1/runs HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json; charset=utf-8\r\n"
      "Content-Length: 12\r\nExpect: 100-continue\r\nConnection: close, x\r\nOrigin: http://[::1]\r\n\r\n",
  };
  const std::string spice = std::string("\r\n\t :%,;[]?&=+#\0\x7f\x80\xff", 20) + "HTTP/1.0chunked";
  constexpr unsigned kSeed = 20260131;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  const auto below = [&random](std::size_t bound) { return random() % bound; };
  int heads = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = seeds[below(2)];
    for (std::size_t n = below(4); n > 0; --n) {
      const std::size_t at = below(bytes.size());
      const std::size_t kind = below(3);
      if (kind == 0) bytes[at] = spice[below(spice.size())];
      if (kind == 1) bytes.insert(at, 1, spice[below(spice.size())]);
      if (kind == 2) bytes.erase(at, 1 + below(5));
      if (bytes.empty()) bytes = "G";
    }
    const auto parsed = parse(bytes);
    const auto* head = std::get_if<Head>(&parsed);
    if (head == nullptr) continue;
    ++heads;
    REQUIRE(head->bytes <= bytes.size());
    for (const HeaderField& field : head->fields) REQUIRE(field.value.find_first_of("\r\n") == std::string::npos);
    const auto admitted = admit(*head, Policy{{"localhost"}}, GuardLimits());
    if (const auto* admission = std::get_if<Admission>(&admitted)) {
      REQUIRE(admission->request.path.front() == '/');
      REQUIRE(admission->body_bytes <= GuardLimits().body_bytes_max);
    }
  }
  CHECK(heads > 1000);
}

}  // namespace kleptometrics::aggregator::http::guard
