#include "aggregator/http/guard/policy.h"

#include <string>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

const Policy kTcp{{"localhost", "127.0.0.1", "[::1]"}};

std::variant<Admission, Refusal> judge(const std::string& line, const std::string& fields,
                                       const Policy& policy = kTcp) {
  HeadScan scan;
  const auto parsed = parse_head(line + " HTTP/1.1\r\n" + fields + "\r\n", GuardLimits(), scan);
  REQUIRE(std::holds_alternative<Head>(parsed));
  return admit(std::get<Head>(parsed), policy, GuardLimits());
}

// 0 or the refusal's status.
int verdict(const std::string& line, const std::string& fields, const Policy& policy = kTcp) {
  const auto judged = judge(line, fields, policy);
  const auto* refusal = std::get_if<Refusal>(&judged);
  return refusal == nullptr ? 0 : refusal->status;
}

constexpr const char* kHost = "Host: localhost\r\n";

}  // namespace

TEST_CASE("A request without a body passes with its parts filled in") {
  const auto judged = judge("HEAD /a%20b?c=d", "Host: localhost:9461\r\nAccept: Text/HTML\r\nAccept: */*\r\n");
  REQUIRE(std::holds_alternative<Admission>(judged));
  const Admission& admission = std::get<Admission>(judged);
  CHECK(admission.request.method == "GET");
  CHECK(admission.request.path == "/a b");
  CHECK(admission.request.query.size() == 1);
  CHECK(admission.request.accept == "text/html, */*");
  CHECK(admission.body_bytes == 0);
  CHECK(admission.keep_alive);
}

TEST_CASE("A media type is lower case and without parameters") {
  const auto judged =
      judge("POST /", std::string(kHost) + "Content-Length: 2\r\nContent-Type: Application/JSON ; charset=UTF-8\r\n");
  REQUIRE(std::holds_alternative<Admission>(judged));
  CHECK(std::get<Admission>(judged).request.content_type == "application/json");
  CHECK(std::get<Admission>(judged).body_bytes == 2);
}

TEST_CASE("Hosts other than this machine's names are refused on TCP") {
  for (const char* host :
       {"localhost", "LOCALHOST", "localhost:9461", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9461", "localhost:"}) {
    CAPTURE(host);
    CHECK(verdict("GET /", "Host: " + std::string(host) + "\r\n") == 0);
  }
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9461", "localhost:x", "[::1", "[::1]x",
        "::1", "localhost, evil.example", "evil@localhost", "10.0.0.1", "localhost:123456"}) {
    CAPTURE(host);
    CHECK(verdict("GET /", "Host: " + std::string(host) + "\r\n") == 421);
  }
  CHECK(verdict("GET /", "") == 400);
  CHECK(verdict("GET /", std::string(kHost) + kHost) == 400);
}

TEST_CASE("A wildcard stands for one label, and beyond loopback every address goes") {
  const Policy centre{{"localhost", "klepto.example", "*.fleet.example"}, true, true};
  for (const char* host : {"klepto.example", "KLEPTO.example:9461", "a.fleet.example", "10.0.0.1", "10.0.0.1:443",
                           "[2001:db8::1]:9461", "[::1]"}) {
    CAPTURE(host);
    CHECK(verdict("GET /", "Host: " + std::string(host) + "\r\n", centre) == 0);
  }
  for (const char* host : {"fleet.example", ".fleet.example", "a.b.fleet.example", "afleet.example", "evil.example",
                           "10.0.0", "10.0.0.1.evil.example", "[2001:db8::g]", "[]", "[", "*.fleet.example.evil"}) {
    CAPTURE(host);
    CHECK(verdict("GET /", "Host: " + std::string(host) + "\r\n", centre) != 0);
  }
}

TEST_CASE("Under TLS the own origin is that of https") {
  const Policy centre{{"klepto.example"}, true, true};
  const std::string host = "Host: klepto.example\r\n";
  CHECK(verdict("GET /", host + "Origin: https://klepto.example\r\n", centre) == 0);
  CHECK(verdict("GET /", host + "Origin: http://klepto.example\r\n", centre) == 403);
}

TEST_CASE("Any one Host goes on a Unix socket") {
  CHECK(verdict("GET /", "Host: evil.example\r\n", Policy()) == 0);
  CHECK(verdict("GET /", "Host:\r\n", Policy()) == 0);
  CHECK(verdict("GET /", std::string(kHost) + kHost, Policy()) == 400);
}

TEST_CASE("Pages of another origin are refused") {
  const std::string host = "Host: localhost:9461\r\n";
  CHECK(verdict("GET /", host + "Origin: http://localhost:9461\r\n") == 0);
  for (const char* origin :
       {"null", "", "http://localhost", "https://localhost:9461", "http://evil.example", "http://localhost:3000"}) {
    CAPTURE(origin);
    CHECK(verdict("GET /", host + "Origin: " + std::string(origin) + "\r\n") == 403);
  }
  CHECK(verdict("GET /", host + "Origin: http://localhost:9461\r\nOrigin: http://localhost:9461\r\n") == 403);
  CHECK(verdict("GET /", host + "Origin: http://evil.example\r\n", Policy()) == 403);
}

TEST_CASE("The length of a body is given once, as digits, and within the limit") {
  const std::string json = std::string(kHost) + "Content-Type: application/json\r\n";
  CHECK(verdict("POST /", json) == 411);
  CHECK(verdict("PUT /", json) == 411);
  CHECK(verdict("PATCH /", json) == 411);
  CHECK(verdict("DELETE /", json) == 0);
  CHECK(verdict("POST /", json + "Content-Length: 0\r\n") == 0);
  CHECK(verdict("POST /", json + "Content-Length: 00004194304\r\n") == 0);
  CHECK(verdict("POST /", json + "Content-Length: 4194305\r\n") == 413);
  CHECK(verdict("POST /", json + "Content-Length: 99999999999999999999999999999999999\r\n") == 413);
  for (const char* length : {"", "-1", "+1", "0x10", "1 2", "1,1", "abc", "1.0"}) {
    CAPTURE(length);
    CHECK(verdict("POST /", json + "Content-Length: " + length + "\r\n") == 400);
  }
  CHECK(verdict("POST /", json + "Content-Length: 1\r\nContent-Length: 1\r\n") == 400);
  CHECK(verdict("GET /", json + "Content-Length: x\r\n") == 400);
}

TEST_CASE("Transfer and content codings are refused") {
  const std::string json = std::string(kHost) + "Content-Type: application/json\r\n";
  CHECK(verdict("POST /", json + "Transfer-Encoding: chunked\r\n") == 501);
  CHECK(verdict("POST /", json + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n") == 501);
  CHECK(verdict("GET /", json + "transfer-encoding:\r\n") == 501);
  CHECK(verdict("POST /", json + "Content-Length: 1\r\nContent-Encoding: gzip\r\n") == 415);
  CHECK(verdict("POST /", json + "Content-Length: 1\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n") == 415);
  CHECK(verdict("POST /", json + "Content-Length: 1\r\nContent-Encoding: Identity\r\n") == 0);
}

TEST_CASE("A body needs a type that no form of another site can send") {
  const std::string one = std::string(kHost) + "Content-Length: 1\r\n";
  for (const char* type :
       {"application/json", "application/x-ndjson", "application/x-protobuf", "application/json;charset=utf-8"}) {
    CAPTURE(type);
    CHECK(verdict("DELETE /", one + "Content-Type: " + type + "\r\n") == 0);
  }
  for (const char* type : {"text/plain", "multipart/form-data; boundary=x", "application/jsonx", ""}) {
    CAPTURE(type);
    CHECK(verdict("POST /", one + "Content-Type: " + type + "\r\n") == 415);
  }
  CHECK(verdict("POST /", one) == 415);
  CHECK(verdict("POST /", one + "Content-Type: application/json\r\nContent-Type: application/json\r\n") == 400);
  CHECK(verdict("GET /", one + "Content-Type: text/plain\r\n") == 0);
  const auto form = judge("POST /", one + "Content-Type: application/x-www-form-urlencoded\r\n");
  REQUIRE(std::holds_alternative<Refusal>(form));
  CHECK(std::get<Refusal>(form).status == 415);
  CHECK(std::get<Refusal>(form).detail.find("-H 'Content-Type: application/json'") != std::string::npos);
}

TEST_CASE("The only expectation is 100-continue") {
  const std::string json = std::string(kHost) + "Content-Type: application/json\r\nContent-Length: 1\r\n";
  const auto judged = judge("POST /", json + "Expect: 100-Continue\r\n");
  REQUIRE(std::holds_alternative<Admission>(judged));
  CHECK(std::get<Admission>(judged).expects_continue);
  CHECK(verdict("POST /", json + "Expect: 200-ok\r\n") == 417);
  CHECK(verdict("POST /", json + "Expect: 100-continue\r\nExpect: 100-continue\r\n") == 417);
}

TEST_CASE("Methods and targets that are not served are refused") {
  for (const char* method : {"TRACE", "CONNECT", "PRI", "get", "BREW"}) {
    CAPTURE(method);
    CHECK(verdict(std::string(method) + " /", kHost) == 501);
  }
  CHECK(verdict("OPTIONS /", kHost) == 0);
  CHECK(verdict("OPTIONS *", kHost) == 400);
  CHECK(verdict("GET http://localhost/", kHost) == 400);
  CHECK(verdict("GET /%", kHost) == 400);
}

TEST_CASE("A connection stays open as the peer wishes and its version allows") {
  struct Row {
    const char* version;
    const char* fields;
    bool keep_alive;
  };
  const Row rows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: x, CLOSE\r\n", false},
      {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.version, row.fields);
    HeadScan scan;
    const auto parsed = parse_head("GET / HTTP/" + std::string(row.version) + "\r\n" + kHost + row.fields + "\r\n",
                                   GuardLimits(), scan);
    REQUIRE(std::holds_alternative<Head>(parsed));
    const auto judged = admit(std::get<Head>(parsed), kTcp, GuardLimits());
    REQUIRE(std::holds_alternative<Admission>(judged));
    CHECK(std::get<Admission>(judged).keep_alive == row.keep_alive);
  }
}

}  // namespace kleptometrics::aggregator::http::guard
