// Who shows no key is turned away before anything is read of a body; what is shown reaches nobody else.
#include <string>

#include "tests/aggregator/http/guard/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

// `open` is for everybody, `admin` for nobody, the rest for whoever knows the word.
std::optional<Denial> ask_for_word(const Request& request, std::optional<std::string_view> authorization) {
  if (request.path == "/open") return std::nullopt;
  if (!authorization) return Denial{401, "a word is needed", "Bearer realm=\"test\""};
  if (*authorization != "Bearer word") return Denial{401, "this is not the word", "Bearer error=\"invalid_token\""};
  if (request.path == "/admin") return Denial{403, "not by this word", ""};
  return std::nullopt;
}

Front guarded_front() {
  Server::Options options;
  options.authorize = ask_for_word;
  return Front({}, tell, options);
}

std::string get_with(const std::string& target, const std::string& fields) {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("TCP needs the word, the Unix socket does not") {
  const Front front = guarded_front();
  const Reply refused = front.tcp().ask(get("/a"));
  CHECK(refused.status == 401);
  CHECK(refused.has("WWW-Authenticate: Bearer realm=\"test\""));
  CHECK(refused.has("Content-Type: application/problem+json"));
  CHECK(refused.has("Connection: close"));
  CHECK(front.tcp().ask(get_with("/a", "Authorization: Bearer word\r\n")).status == 200);
  CHECK(front.tcp().ask(get_with("/a", "authorization:  Bearer word \r\n")).status == 200);
  CHECK(front.local().ask(get("/a")).status == 200);
  CHECK(front.tcp().ask(get("/open")).status == 200);
}

TEST_CASE("Refusals are counted by kind") {
  const Front front = guarded_front();
  CHECK(front.tcp().ask(get("/a")).status == 401);
  CHECK(front.tcp().ask(get_with("/a", "Authorization: Bearer other\r\n")).status == 401);
  CHECK(front.tcp().ask(get_with("/admin", "Authorization: Bearer word\r\n")).status == 403);
  CHECK(front.tcp().ask(get_with("/a", "Authorization: Bearer word\r\nAuthorization: Bearer word\r\n")).status == 400);
  CHECK(front.counts().unauthorized == 2);
  CHECK(front.counts().forbidden == 1);
  CHECK(front.counts().refused == 4);
  CHECK(front.counts().requests == 0);
}

TEST_CASE("A body is not waited for, nor even asked for, without the word") {
  const Front front = guarded_front();
  CHECK(front.tcp().ask(post_head(4U << 20U)).status == 401);
  CHECK(front.tcp().ask(post_head(4U << 20U, "Expect: 100-continue\r\n")).status == 401);
  CHECK(front.tcp().ask(post_head(2, "Authorization: Bearer word\r\n") + "{}").status == 200);
}

TEST_CASE("The word is asked for again with every request of a connection") {
  const Front front = guarded_front();
  Peer peer = front.tcp();
  CHECK(peer.ask(get_with("/a", "Authorization: Bearer word\r\n")).status == 200);
  CHECK(peer.ask(get("/a")).status == 401);
}

}  // namespace kleptometrics::aggregator::http::guard
