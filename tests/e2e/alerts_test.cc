// The watch over jobs as its users see it: what the real aggregator tells over HTTP of runs that fail, are missing,
// take too long or are killed, also across a kill of its own. What the words mean is tested in tests/aggregator/rules.
#include <string>

#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::tests::Answer;
using kleptometrics::tests::Daemon;
using kleptometrics::tests::Json;

namespace {

Json found(const Daemon& daemon, const std::string& what, const std::string& question, std::size_t count) {
  return daemon
      .eventually("/api/v1/" + what + question, [&](const Json& answer) { return answer.at(what).size() == count; })
      .at(what);
}

void report(const Daemon& daemon, const std::string& job, const std::string& run) {
  REQUIRE(daemon.send("POST", "/api/v1/jobs/" + job + "/runs", run).status == 201);
}

void put(const Daemon& daemon, const std::string& job, const Json& spec) {
  REQUIRE(daemon.send("PUT", "/api/v1/jobs/" + job, spec.dump()).status / 100 == 2);
}

TEST_CASE("a failure opens an alert that says why, and a success closes it") {
  const Daemon daemon;
  report(daemon, "nightly", R"({"state":"failed","duration_seconds":1,"failure":{"message":"tape full"}})");
  const Json open = found(daemon, "alerts", "?state=open", 1);
  REQUIRE(open.size() == 1);
  CHECK(open[0].at("kind") == "failed");
  CHECK(open[0].at("message").get<std::string>().find("tape full") != std::string::npos);
  const std::string id = open[0].at("id");
  CHECK(daemon.send("POST", "/api/v1/alerts/" + id + "/acknowledge", "").json().contains("acknowledged_at"));

  report(daemon, "nightly", R"({"state":"succeeded","duration_seconds":1})");
  const Json closed = found(daemon, "alerts", "?state=closed", 1);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].at("id") == id);
  CHECK(closed[0].contains("acknowledged_at"));
  CHECK(found(daemon, "alerts", "?state=open", 0).empty());
}

TEST_CASE("a start that does not come is missed, makes the job late, and survives a kill of the aggregator") {
  Daemon daemon;
  put(daemon, "pulse", {{"schedule", {{"interval_seconds", 1}}}, {"grace_seconds", 0}});
  const Json missed = found(daemon, "delays", "?job=pulse&state=open", 1);
  REQUIRE(missed.size() == 1);
  CHECK(missed[0].at("kind") == "missed");
  CHECK(daemon.json("/api/v1/jobs/pulse").at("status") == "late");
  CHECK(daemon.json("/api/v1/jobs/pulse/stats").at("missed") == 1);
  const Json alert = found(daemon, "alerts", "?job=pulse&state=open", 1);
  REQUIRE(alert.size() == 1);

  daemon.kill();
  daemon.start();
  CHECK(daemon.json("/api/v1/alerts?job=pulse").at("alerts") == Json(alert));
  CHECK(daemon.json("/api/v1/delays?job=pulse&state=open").at("delays") == Json(missed));
}

TEST_CASE("a run that takes longer than allowed is told of while it runs") {
  const Daemon daemon;
  put(daemon, "short", {{"max_duration_seconds", 0.2}});
  report(daemon, "short", R"({"id":"01890000-0000-7000-8000-000000000001"})");
  const Json alert = found(daemon, "alerts", "?kind=overrun&state=open", 1);
  REQUIRE(alert.size() == 1);
  CHECK(daemon.json("/api/v1/jobs/short").at("status") == "overrunning");
  const Json run = daemon.json("/api/v1/runs/01890000-0000-7000-8000-000000000001");
  REQUIRE(run.at("delays").size() == 1);
  CHECK(run.at("delays")[0].at("kind") == "overrun");
  CHECK(run.at("delays")[0].at("open") == true);
  REQUIRE(
      daemon.send("PATCH", "/api/v1/runs/01890000-0000-7000-8000-000000000001", R"({"state":"succeeded"})").status ==
      200);
  CHECK(found(daemon, "alerts", "?kind=overrun&state=open", 0).empty());
}

TEST_CASE("a specification is tried on the past before it is put") {
  const Daemon daemon;
  for (int day = 10; day < 20; ++day) {
    if (day == 15) continue;
    const std::string at = "2026-03-" + std::to_string(day) + "T02:00:0" + (day == 12 ? "9Z" : "0Z");
    report(daemon, "nightly",
           Json{{"state", "succeeded"}, {"started_at", at}, {"duration_seconds", day == 17 ? 900 : 60}}.dump());
  }
  const Json spec = {{"schedule", {{"cron", "0 2 * * *"}}}, {"grace_seconds", 5}, {"max_duration_seconds", 300}};
  const Answer answer = daemon.send(
      "POST", "/api/v1/jobs/nightly/backtest?since=2026-03-10T00:00:00Z&until=2026-03-20T00:00:00Z", spec.dump());
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  const Json told = answer.json();
  CHECK(told.at("runs") == 9);
  CHECK(told.at("summary") == "2 of 9 runs, and 1 gap");
  CHECK(told.at("gaps") == 1);
  CHECK(daemon.json("/api/v1/alerts").at("alerts").empty());

  const Answer bad = daemon.send("POST", "/api/v1/jobs/nightly/backtest", R"({"schedule":{"cron":"75 * * * *"}})");
  CHECK(bad.status == 400);
  CHECK(bad.body.find("75") != std::string::npos);
  CHECK(daemon.send("POST", "/api/v1/jobs/none/backtest", "{}").status == 404);
}

}  // namespace
