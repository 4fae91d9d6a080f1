// Delays and alerts as a program reads them.
#include <chrono>
#include <string>

#include "kleptometrics/query.h"
#include "kleptometrics/v1/query.pb.h"
#include "tests/fakes/peer.h"
#include "tests/support/catch.h"

namespace kleptometrics::query {
namespace {

using fakes::Peer;

constexpr const char* kSomeBytes = "\x01\x89\x0a\x5d\xac\x96\x77\x4b\xbc\xce\xb3\x02\x09\x9a\x80\x57";
constexpr const char* kSomeText = "01890a5d-ac96-774b-bcce-b302099a8057";
constexpr std::int64_t kSecond = 1'000'000'000;

std::string http(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
WallTime at(std::int64_t second) { return WallTime(std::chrono::seconds(second)); }
std::string first_line(const std::string& request) { return request.substr(0, request.find("\r\n")); }

TEST_CASE("Alerts are told whole, and what is absent is empty") {
  v1::AlertPage page;
  v1::Alert& full = *page.add_alerts();
  full.set_id(kSomeBytes);
  full.set_kind("overrun");
  full.set_job("nightly");
  full.set_run_id(kSomeBytes);
  full.set_opened_at_ns(100 * kSecond);
  full.set_closed_at_ns(200 * kSecond);
  full.set_acknowledged_at_ns(150 * kSecond);
  full.set_message("took 9 s");
  full.set_expected_ns(5 * kSecond);
  full.set_actual_ns(9 * kSecond);
  page.add_alerts()->set_id(kSomeBytes);
  page.set_next_page_token("more");
  const Peer peer(http(page.SerializeAsString()));
  const auto alerts = Aggregator(peer.endpoint()).alerts();
  REQUIRE(alerts);
  REQUIRE(alerts->alerts.size() == 2);
  const Alert& alert = alerts->alerts[0];
  CHECK(alert.id == kSomeText);
  CHECK(alert.kind == "overrun");
  CHECK(alert.job == "nightly");
  CHECK(alert.run_id == kSomeText);
  CHECK(alert.opened_at == at(100));
  CHECK(alert.closed_at == at(200));
  CHECK(alert.acknowledged_at == at(150));
  CHECK(alert.message == "took 9 s");
  CHECK(alert.expected == std::chrono::seconds(5));
  CHECK(alert.actual == std::chrono::seconds(9));
  const Alert& bare = alerts->alerts[1];
  CHECK(bare.run_id.empty());
  CHECK_FALSE(bare.closed_at);
  CHECK_FALSE(bare.acknowledged_at);
  CHECK_FALSE(bare.expected);
  CHECK_FALSE(bare.actual);
  CHECK(alerts->next_page_token == "more");
  CHECK(first_line(peer.asked()) == "GET /api/v1/alerts?limit=50 HTTP/1.1");
}

TEST_CASE("Delays are told whole, and what is absent is empty") {
  v1::DelayPage page;
  v1::Delay& full = *page.add_delays();
  full.set_id(kSomeBytes);
  full.set_kind("late_start");
  full.set_job("nightly");
  full.set_run_id(kSomeBytes);
  full.set_scheduled_at_ns(40 * kSecond);
  full.set_expected_ns(60 * kSecond);
  full.set_actual_ns(90 * kSecond);
  full.set_opened_at_ns(100 * kSecond);
  full.set_closed_at_ns(130 * kSecond);
  page.add_delays()->set_id(kSomeBytes);
  const Peer peer(http(page.SerializeAsString()));
  const auto delays = Aggregator(peer.endpoint()).delays();
  REQUIRE(delays);
  REQUIRE(delays->delays.size() == 2);
  const Delay& delay = delays->delays[0];
  CHECK(delay.id == kSomeText);
  CHECK(delay.kind == "late_start");
  CHECK(delay.job == "nightly");
  CHECK(delay.run_id == kSomeText);
  CHECK(delay.scheduled_at == at(40));
  CHECK(delay.expected == std::chrono::seconds(60));
  CHECK(delay.actual == std::chrono::seconds(90));
  CHECK(delay.opened_at == at(100));
  CHECK(delay.closed_at == at(130));
  const Delay& bare = delays->delays[1];
  CHECK_FALSE(bare.scheduled_at);
  CHECK_FALSE(bare.actual);
  CHECK_FALSE(bare.closed_at);
  CHECK(delays->next_page_token.empty());
}

TEST_CASE("Which alerts are asked for stands in the target") {
  const Peer peer(http(v1::AlertPage().SerializeAsString()));
  AlertsQuestion question;
  question.open = true;
  question.kinds = {"failed", "crashed"};
  question.job = "a b";
  question.since = at(1'700'000'000);
  question.page.limit = 7;
  question.page.token = "abc";
  REQUIRE(Aggregator(peer.endpoint()).alerts(question));
  CHECK(first_line(peer.asked()) ==
        "GET /api/v1/alerts?state=open&kind=failed%2Ccrashed&job=a%20b&since=2023-11-14T22:13:20Z&limit=7"
        "&page_token=abc HTTP/1.1");
  question = {};
  question.open = false;
  (void)Aggregator(peer.endpoint()).delays(question);
  CHECK(first_line(peer.asked()) == "GET /api/v1/delays?state=closed&limit=50 HTTP/1.1");
}

TEST_CASE("An alert without an id is no answer") {
  v1::AlertPage page;
  page.add_alerts()->set_job("nightly");
  const Peer peer(http(page.SerializeAsString()));
  const auto alerts = Aggregator(peer.endpoint()).alerts();
  REQUIRE_FALSE(alerts);
  CHECK(alerts.error().status == 0);
}

}  // namespace
}  // namespace kleptometrics::query
