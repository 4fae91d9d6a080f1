// Delays and alerts say in a message what they say in JSON.
#include <nlohmann/json.hpp>

#include "aggregator/http/time_text.h"
#include "kleptometrics/v1/query.pb.h"
#include "lib/base/uuid.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/fakes/findings.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

using Json = nlohmann::json;

template <typename Message>
Message message(const ApiFixture& api, const std::string& target) {
  const Response response = api.send("GET", target, {}, {}, "application/x-protobuf");
  CHECK(response.content_type == "application/x-protobuf");
  Message message;
  REQUIRE(message.ParseFromString(response.body));
  return message;
}

// What is absent in the message is not in the JSON.
template <typename Message>
Json told_finding(const Message& in) {
  Json json = {{"id", Uuid::from_bytes(in.id())->text()},
               {"kind", in.kind()},
               {"job", in.job()},
               {"opened_at", instant_text(in.opened_at_ns())}};
  if (!in.run_id().empty()) json["run_id"] = Uuid::from_bytes(in.run_id())->text();
  if (in.has_closed_at_ns()) json["closed_at"] = instant_text(in.closed_at_ns());
  if (in.has_actual_ns()) json["actual_seconds"] = static_cast<double>(in.actual_ns()) / 1e9;
  return json;
}

TEST_CASE("delays and alerts are the same in both forms") {
  const ApiFixture api;
  Alert alert = fakes::closed(fakes::raised("import", 1), fakes::kStart + fakes::seconds(3.5));
  alert.run_id = fakes::id_of(9);
  alert.acknowledged_at = fakes::kStart;
  alert.expected = fakes::seconds(60);
  alert.actual = fakes::seconds(70.25);
  Delay delay = fakes::closed(fakes::delayed("import", 1), fakes::kStart + 1);
  delay.run_id = alert.run_id;
  delay.actual = fakes::seconds(61);
  REQUIRE(api.store->record({{delay, fakes::delayed("export", 2)}, {alert, fakes::raised("export", 2)}}).ok());
  const auto alerts = message<v1::AlertPage>(api, "/api/v1/alerts");
  const Json alerts_told = Json::parse(api.get("/api/v1/alerts").body);
  REQUIRE(alerts.alerts_size() == 2);
  for (int i = 0; i < 2; ++i) {
    const v1::Alert& each = alerts.alerts(i);
    Json json = told_finding(each);
    json["message"] = each.message();
    if (each.has_expected_ns()) json["expected_seconds"] = static_cast<double>(each.expected_ns()) / 1e9;
    if (each.has_acknowledged_at_ns()) json["acknowledged_at"] = instant_text(each.acknowledged_at_ns());
    CHECK(json == alerts_told.at("alerts")[static_cast<std::size_t>(i)]);
  }
  const auto delays = message<v1::DelayPage>(api, "/api/v1/delays");
  const Json delays_told = Json::parse(api.get("/api/v1/delays").body);
  REQUIRE(delays.delays_size() == 2);
  for (int i = 0; i < 2; ++i) {
    const v1::Delay& each = delays.delays(i);
    Json json = told_finding(each);
    json["expected_seconds"] = static_cast<double>(each.expected_ns()) / 1e9;
    json["open"] = !each.has_closed_at_ns();
    if (each.has_scheduled_at_ns()) json["scheduled_at"] = instant_text(each.scheduled_at_ns());
    CHECK(json == delays_told.at("delays")[static_cast<std::size_t>(i)]);
  }
  CHECK(message<v1::AlertPage>(api, "/api/v1/alerts?limit=1").next_page_token() ==
        at(api.get("/api/v1/alerts?limit=1"), "/next_page_token"));
  CHECK(message<v1::DelayPage>(api, "/api/v1/delays?limit=1").next_page_token() ==
        at(api.get("/api/v1/delays?limit=1"), "/next_page_token"));
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
