// Delays and alerts over HTTP: listed, selected, paged, acknowledged.
#include <nlohmann/json.hpp>
#include <set>

#include "tests/aggregator/http/fixture.h"
#include "tests/fakes/findings.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

using fakes::closed;
using fakes::delayed;
using fakes::id_of;
using fakes::kStart;
using fakes::raised;
using fakes::seconds;

// Two jobs; odd numbers are closed. Number n opened n minutes before now.
struct Watched : ApiFixture {
  Watched() {
    Findings findings;
    for (std::uint32_t i = 0; i < 20; ++i) {
      const Nanos at = clock.wall - seconds(60.0 * i);
      Alert alert = raised(i % 4 < 2 ? "import" : "export", i, at, static_cast<AlertKind>(1 + i % 7));
      Delay delay = delayed(alert.job, i, at, static_cast<DelayKind>(1 + i % 3));
      findings.alerts.push_back(i % 2 == 0 ? alert : closed(alert, clock.wall));
      findings.delays.push_back(i % 2 == 0 ? delay : closed(delay, clock.wall));
    }
    REQUIRE(store->record(findings).ok());
  }
  // Numbers of the alerts, or delays, that an answer lists, in its order.
  std::vector<std::size_t> numbers(const std::string& target) const {
    const Response response = get(target);
    CAPTURE(target, response.body);
    REQUIRE(response.status == 200);
    std::vector<std::size_t> all;
    const auto page = nlohmann::json::parse(response.body);
    for (const auto& each : page.at(target.starts_with("/api/v1/alerts") ? "alerts" : "delays"))
      all.push_back(std::stoul(each.at("id").get<std::string>().substr(28), nullptr, 16));
    return all;
  }
};
using Numbers = std::vector<std::size_t>;

TEST_CASE("an alert says all that is known of it, and leaves out what is not") {
  const ApiFixture api;
  Alert alert = closed(raised("import", 1, kStart, AlertKind::kOverrun), kStart + seconds(1.5));
  alert.run_id = id_of(2);
  alert.acknowledged_at = kStart + seconds(1);
  alert.message = "took 9 s";
  alert.expected = seconds(5);
  alert.actual = seconds(9.25);
  REQUIRE(api.store->record({.alerts = {alert, raised("export", 3)}}).ok());
  const Response page = api.get("/api/v1/alerts");
  CHECK(at(page, "/alerts/0") == R"({"id":"01000000-0000-0000-0000-000000000003","job":"export","kind":"failed",)"
                                 R"("message":"number 3","opened_at":"2023-11-14T22:13:20Z"})");
  CHECK(at(page, "/alerts/1") ==
        R"({"acknowledged_at":"2023-11-14T22:13:21Z","actual_seconds":9.25,"closed_at":"2023-11-14T22:13:21.5Z",)"
        R"("expected_seconds":5,"id":"01000000-0000-0000-0000-000000000001","job":"import","kind":"overrun",)"
        R"("message":"took 9 s","opened_at":"2023-11-14T22:13:20Z","run_id":"01000000-0000-0000-0000-000000000002"})");
  CHECK(at(page, "/next_page_token") == "absent");
}

TEST_CASE("a delay says what was expected, what was measured, and whether it lasts") {
  const ApiFixture api;
  Delay late = closed(delayed("import", 1, kStart, DelayKind::kLateStart), kStart + seconds(30));
  late.run_id = id_of(2);
  late.actual = seconds(90);
  REQUIRE(api.store->record({.delays = {late, delayed("export", 3)}}).ok());
  const Response page = api.get("/api/v1/delays");
  CHECK(at(page, "/delays/0") ==
        R"({"expected_seconds":60,"id":"01000000-0000-0000-0000-000000000003","job":"export","kind":"missed",)"
        R"("open":true,"opened_at":"2023-11-14T22:13:20Z","scheduled_at":"2023-11-14T22:12:20Z"})");
  CHECK(at(page, "/delays/1/open") == "false");
  CHECK(at(page, "/delays/1/kind") == "late_start");
  CHECK(at(page, "/delays/1/actual_seconds") == "90");
  CHECK(at(page, "/delays/1/closed_at") == "2023-11-14T22:13:50Z");
  CHECK(at(page, "/delays/1/run_id") == id_of(2).text());
}

TEST_CASE("lists of both are selected by state, kind, job and time of opening") {
  const Watched api;
  for (const std::string list : {"/api/v1/alerts", "/api/v1/delays"}) {
    CHECK(api.numbers(list) == Numbers{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19});
    CHECK(api.numbers(list + "?state=open&job=export") == Numbers{2, 6, 10, 14, 18});
    CHECK(api.numbers(list + "?state=closed&since=5m") == Numbers{1, 3, 5});
    CHECK(api.numbers(list + "?state=closed&since=9m&until=5m") == Numbers{7, 9});
    CHECK(api.numbers(list + "?state=open&limit=2") == Numbers{0, 2});
  }
  CHECK(api.numbers("/api/v1/alerts?kind=slower,crashed") == Numbers{6, 8, 20 - 20 + 1, 13, 15});
  CHECK(api.numbers("/api/v1/delays?kind=missed&state=open") == Numbers{4, 10, 16});
}

TEST_CASE("pages of both lists follow each other") {
  const Watched api;
  for (const std::string list : {"/api/v1/alerts", "/api/v1/delays"}) {
    Numbers all;
    std::string target = list + "?limit=3";
    for (;;) {
      const Numbers page = api.numbers(target);
      all.insert(all.end(), page.begin(), page.end());
      const std::string token = at(api.get(target), "/next_page_token");
      if (token == "absent") break;
      target = list + "?limit=3&page_token=" + token;
    }
    CHECK(all == api.numbers(list));
  }
  const std::string token = at(api.get("/api/v1/alerts?limit=3"), "/next_page_token");
  CHECK(blame(api.get("/api/v1/delays?page_token=" + token)) == "400 page_token");
}

TEST_CASE("what makes no sense is refused by name") {
  const Watched api;
  CHECK(problem_of(api.get("/api/v1/alerts?state=shut")) == "400 state: state must be open or closed, got `shut`");
  CHECK(problem_of(api.get("/api/v1/delays?kind=late_start,slower")) ==
        "400 kind: kind must be a list of late_start, missed, overrun; got `slower`");
  CHECK(blame(api.get("/api/v1/alerts?kind=")) == "400 kind");
  CHECK(blame(api.get("/api/v1/alerts?job=")) == "400 job");
  CHECK(blame(api.get("/api/v1/alerts?since=1h&until=2h")) == "400 since");
  CHECK(blame(api.get("/api/v1/alerts?limit=0")) == "400 limit");
  CHECK(blame(api.get("/api/v1/alerts?host=x")) == "400 host");
  CHECK(api.get("/api/v1/alerts?job=nobody").status == 404);
  CHECK(api.get("/api/v1/delays?job=nobody").status == 404);
  CHECK(api.send("DELETE", "/api/v1/alerts").status == 405);
}

TEST_CASE("an alert is acknowledged once, and stays what it is") {
  Watched api;
  const std::string path = "/api/v1/alerts/" + id_of(2).text() + "/acknowledge";
  const Response first = api.post(path, "");
  REQUIRE(first.status == 200);
  CHECK(at(first, "/acknowledged_at") == "2023-11-14T22:13:20Z");
  CHECK(at(first, "/closed_at") == "absent");
  api.clock.advance(seconds(60));
  const Response again = api.post(path, " {} ");
  REQUIRE(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(at(api.get("/api/v1/alerts"), "/alerts/1") == at(first, ""));
}

TEST_CASE("only an alert that is known can be acknowledged, by a body that says nothing") {
  const Watched api;
  const std::string path = "/api/v1/alerts/" + id_of(2).text() + "/acknowledge";
  CHECK(problem_of(api.post("/api/v1/alerts/" + std::string(kAnId) + "/acknowledge", "")) ==
        "404 id: there is no alert " + std::string(kAnId));
  CHECK(blame(api.post("/api/v1/alerts/no-id/acknowledge", "")) == "400 id");
  CHECK(blame(api.post(path, R"({"by":"me"})")) == "400 by");
  CHECK(api.post(path, "[]").status == 400);
  CHECK(api.post(path, "{").status == 400);
  CHECK(api.send("POST", path, "{}", "text/plain").status == 415);
  CHECK(api.get(path).status == 405);
  CHECK(blame(api.post(path + "?x=1", "")) == "400 x");
  CHECK(api.numbers("/api/v1/alerts").size() == 20);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
