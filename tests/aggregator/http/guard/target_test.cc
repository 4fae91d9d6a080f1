#include "aggregator/http/guard/target.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http::guard {

TEST_CASE("A target is decoded once into path and query") {
  const auto target = parse_target("/v1/jobs/caf%C3%A9%2Fa+b?q=1%262&empty=&flag&q=x+y%2B&&=v&a=b?c=d");
  REQUIRE(target);
  CHECK(target->path == "/v1/jobs/caf\xC3\xA9/a+b");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(target->query == Pairs{{"q", "1&2"}, {"empty", ""}, {"flag", ""}, {"q", "x y+"}, {"", "v"}, {"a", "b?c=d"}});
}

TEST_CASE("A target without a query has none") {
  CHECK(parse_target("/")->query.empty());
  CHECK(parse_target("/?")->query.empty());
}

TEST_CASE("A target that is no path or badly encoded is none") {
  for (const char* text : {"", "*", "a", "http://localhost/", "/a#b", "/%", "/%4", "/%zz", "/%u0041", "/%00", "/%0a",
                           "/%7f", "/?a=%", "/?%0=1", "/?a=%00"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_target(text));
  }
}

}  // namespace kleptometrics::aggregator::http::guard
