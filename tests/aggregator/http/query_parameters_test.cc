#include "aggregator/http/query_parameters.h"

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr Nanos kNow = 1'700'000'000 * kNanosPerSecond;  // 2023-11-14T22:13:20Z
using Pairs = std::vector<std::pair<std::string, std::string>>;

Request asking(Pairs query) {
  Request request;
  request.query = std::move(query);
  return request;
}

// The field at fault when runs are selected, or `fine`.
std::string fault(Pairs query) {
  const Request request = asking(std::move(query));
  QueryParameters parameters(request, kNow);
  RunFilter filter;
  parameters.select_runs(filter);
  parameters.limit();
  parameters.states("state");
  parameters.run_cursor();
  const auto error = parameters.error();
  return error ? error->field : "fine";
}

RunFilter selected(Pairs query) {
  const Request request = asking(std::move(query));
  QueryParameters parameters(request, kNow);
  RunFilter filter;
  parameters.select_runs(filter);
  REQUIRE_FALSE(parameters.error());
  return filter;
}

TEST_CASE("parameters that nobody asked for, or that come twice, are named") {
  CHECK(fault({}) == "fine");
  CHECK(fault({{"host", "a"}, {"limit", "5"}}) == "fine");
  CHECK(fault({{"hots", "a"}}) == "hots");
  CHECK(fault({{"Host", "a"}}) == "Host");
  CHECK(fault({{"", ""}}) == "");
  CHECK(fault({{"host", "a"}, {"host", "a"}}) == "host");
  CHECK(fault({{"label.x", "a"}, {"label.x", "b"}}) == "label.x");
  CHECK(fault({{"label.x", "a"}, {"label.y", "b"}}) == "fine");
  CHECK(fault({{"label.", "a"}}) == "label.");
  CHECK(fault({{"host", ""}}) == "host");
}

TEST_CASE("limit is a whole number from 1 to 1000") {
  for (const char* good : {"1", "50", "1000", "007"}) CHECK(fault({{"limit", good}}) == "fine");
  for (const char* bad : {"0", "1001", "-1", "+5", "5.0", "", "x", "5 ", "99999999999999999999"}) {
    INFO(bad);
    CHECK(fault({{"limit", bad}}) == "limit");
  }
  const Request none = asking({});
  CHECK(QueryParameters(none, kNow).limit() == 50);
}

TEST_CASE("since and until are instants, or lengths before now") {
  CHECK(selected({{"since", "90m"}}).since == kNow - 5400 * kNanosPerSecond);
  CHECK(selected({{"since", "7d"}, {"until", "0s"}}).until == kNow);
  CHECK(selected({{"until", "2023-11-14T22:13:20Z"}}).until == kNow);
  CHECK(selected({{"since", "2023-11-14T23:13:20+01:00"}}).since == kNow);
  CHECK_FALSE(selected({}).since);
  CHECK_FALSE(selected({}).until);
  CHECK(fault({{"since", "yesterday"}}) == "since");
  CHECK(fault({{"until", "7x"}}) == "until");
  CHECK(fault({{"until", ""}}) == "until");
  CHECK(fault({{"since", "1h"}, {"until", "2h"}}) == "since");
  CHECK(fault({{"since", "1h"}, {"until", "1h"}}) == "fine");
}

TEST_CASE("a plus sign that a URL turned into a space is understood") {
  CHECK(selected({{"since", "2023-11-14T23:13:20 01:00"}}).since == kNow);
  CHECK(fault({{"since", "2023-11-14 22:13:20Z"}}) == "since");
  CHECK(fault({{"since", " 2023-11-14T22:13:20Z"}}) == "since");
}

TEST_CASE("labels and the rest fill the filter") {
  const RunFilter filter =
      selected({{"label.team", "risk"}, {"host", "h1"}, {"version", "2"}, {"build_id", "7f3c"}, {"label.a.b", ""}});
  CHECK(filter.labels == Pairs{{"team", "risk"}, {"a.b", ""}});
  CHECK(filter.host == "h1");
  CHECK(filter.version == "2");
  CHECK(filter.build_id == "7f3c");
}

TEST_CASE("states are a list, and any is a word for outcomes alone") {
  const Request request = asking({{"state", "failed,crashed"}, {"outcome", "any"}});
  QueryParameters parameters(request, kNow);
  CHECK(parameters.states("state") == std::vector<State>{State::kFailed, State::kCrashed});
  CHECK(parameters.states("outcome", true)->size() == 5);
  CHECK_FALSE(parameters.error());
  for (const char* bad : {"", "any", "ok", "failed,", ",failed", "failed, crashed", "Failed"}) {
    INFO(bad);
    CHECK(fault({{"state", bad}}) == "state");
  }
}

TEST_CASE("the first fault is the one that is told") {
  CHECK(fault({{"limit", "0"}, {"since", "x"}, {"unknown", "y"}}) == "since");
  CHECK(fault({{"page_token", "zz"}}) == "page_token");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
