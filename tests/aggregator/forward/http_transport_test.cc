#include "aggregator/forward/transport.h"

#include "tests/fakes/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a push is posted with what an aggregator wants to know, and its answer comes back") {
  fakes::Peer peer(
      "HTTP/1.1 200 OK\r\nContent-Type: Application/X-Protobuf; v=1\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
      "hello");
  const auto transport = make_http_transport({peer.endpoint(), "secret"});
  REQUIRE(transport.ok());
  const Reply reply = (*transport)->post("runs");
  REQUIRE(reply.status == 200);
  REQUIRE(reply.content_type == "application/x-protobuf");
  REQUIRE(reply.body == "hello");
  const std::string asked = peer.asked();
  REQUIRE(asked.starts_with("POST /api/v1/runs HTTP/1.1\r\n"));
  REQUIRE(contains(asked, "\r\nContent-Type: application/x-protobuf\r\n"));
  REQUIRE(contains(asked, "\r\nContent-Length: 4\r\n"));
  REQUIRE(contains(asked, "\r\nAuthorization: Bearer secret\r\n"));
}

TEST_CASE("nobody there is an answer that did not come, with its reason") {
  const auto transport = make_http_transport({"unix:/nowhere/at/all.sock"});
  REQUIRE(transport.ok());
  const Reply reply = (*transport)->post("runs");
  REQUIRE(reply.status == 0);
  REQUIRE(contains(reply.error, "/nowhere/at/all.sock"));
}

TEST_CASE("what is no endpoint is refused by its name") {
  for (const std::string url : {"centre:9461", "ftp://centre", "http://centre:99999", "unix:", ""}) {
    const auto transport = make_http_transport({url});
    REQUIRE(absl::IsInvalidArgument(transport.status()));
    REQUIRE(contains(std::string(transport.status().message()), "\"" + url + "\""));
  }
  REQUIRE(absl::IsInvalidArgument(make_http_transport({"http://centre", "a\r\nb"}).status()));
}

}  // namespace
}  // namespace kleptometrics::aggregator
