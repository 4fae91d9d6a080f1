// When jobs are expected to run: schedules in PUT, pauses, and what GET then shows.
#include <string>

#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kJob = "/api/v1/jobs/nightly";

Response put(const ApiFixture& api, const std::string& json) { return api.send("PUT", kJob, json, "application/json"); }

TEST_CASE("a job is given a schedule, and is expected by it") {
  const ApiFixture api;  // 2023-11-14T22:13:20Z
  const Response made = put(api, R"({"schedule":{"cron":"30 4 * * *"},"timezone":"Europe/Berlin","grace_seconds":90.5,
    "max_duration_seconds":3600,"min_duration_seconds":2,"failures_before_alert":3,"successes_before_recovery":2})");
  CHECK(made.status == 201);
  CHECK(at(made, "/schedule") == R"({"cron":"30 4 * * *"})");
  CHECK(at(made, "/timezone") == "Europe/Berlin");
  CHECK(at(made, "/grace_seconds") == "90.5");
  CHECK(at(made, "/max_duration_seconds") == "3600");
  CHECK(at(made, "/min_duration_seconds") == "2");
  CHECK(at(made, "/failures_before_alert") == "3");
  CHECK(at(made, "/successes_before_recovery") == "2");
  CHECK(at(made, "/paused") == "false");
  CHECK(at(made, "/next_expected_at") == "2023-11-15T03:30:00Z");
  CHECK(api.get(kJob).body == made.body);
  CHECK(at(api.get("/api/v1/jobs"), "/jobs/0/next_expected_at") == "2023-11-15T03:30:00Z");
  CHECK(put(api, made.body).body == made.body);
}

TEST_CASE("a job of which nothing is said has a minute of grace, and no schedule") {
  const ApiFixture api;
  const Response made = put(api, "{}");
  CHECK(at(made, "/grace_seconds") == "60");
  CHECK(at(made, "/failures_before_alert") == "1");
  CHECK(at(made, "/successes_before_recovery") == "1");
  for (const char* const field : {"/schedule", "/timezone", "/max_duration_seconds", "/min_duration_seconds",
                                  "/maintenance", "/paused_until", "/next_expected_at"}) {
    CHECK(at(made, field) == "absent");
  }
  CHECK(at(put(api, R"({"grace_seconds":0})"), "/grace_seconds") == "0");
}

TEST_CASE("an interval counts from the last start") {
  const ApiFixture api;
  CHECK(at(put(api, R"({"schedule":{"interval_seconds":900}})"), "/next_expected_at") == "absent");
  api.post(kJob + "/runs", R"({"started_at":"2023-11-14T22:00:00Z"})");
  CHECK(at(api.get(kJob), "/schedule") == R"({"interval_seconds":900})");
  CHECK(at(api.get(kJob), "/next_expected_at") == "2023-11-14T22:15:00Z");
}

TEST_CASE("maintenance windows come once or return") {
  const ApiFixture api;
  const std::string windows = R"([{"since":"2023-11-14T22:00:00Z","until":"2023-11-14T23:00:00.5Z"},)"
                              R"({"cron":"0 3 * * sun","duration_seconds":7200}])";
  const Response made = put(api, R"({"maintenance":)" + windows + "}");
  CHECK(at(made, "/maintenance") == windows);
  CHECK(at(put(api, made.body), "/maintenance") == windows);
}

TEST_CASE("a schedule that nobody can keep is refused, and the field is named") {
  const ApiFixture api;
  const auto refused = [&api](const std::string& json) { return blame(put(api, json)); };
  CHECK(refused(R"({"schedule":{"cron":"75 * * * *"}})") == "400 schedule.cron");
  CHECK(at(put(api, R"({"schedule":{"cron":"75 * * * *"}})"), "/detail") == "minute: 75 is beyond 59");
  CHECK(refused(R"({"schedule":{"cron":"0 0 31 2 *"}})") == "400 schedule.cron");
  CHECK(refused(R"({"schedule":{"cron":""}})") == "400 schedule.cron");
  CHECK(refused(R"({"schedule":{"cron":5}})") == "400 schedule.cron");
  CHECK(refused(R"({"schedule":{"cron":"@daily","interval_seconds":60}})") == "400 schedule");
  CHECK(refused(R"({"schedule":{"interval_seconds":0}})") == "400 schedule.interval_seconds");
  CHECK(refused(R"({"schedule":{"interval_seconds":0.5}})") == "400 schedule.interval_seconds");
  CHECK(refused(R"({"schedule":{"interval_seconds":1e9}})") == "400 schedule.interval_seconds");
  CHECK(refused(R"({"schedule":{"every":60}})") == "400 schedule.every");
  CHECK(refused(R"({"schedule":"@daily"})") == "400 schedule");
  CHECK(refused(R"({"timezone":"Mars/Olympus"})") == "400 timezone");
  CHECK(refused(R"({"timezone":"../etc/passwd"})") == "400 timezone");
  CHECK(refused(R"({"grace_seconds":-1})") == "400 grace_seconds");
  CHECK(refused(R"({"max_duration_seconds":1,"min_duration_seconds":2})") == "400 min_duration_seconds");
  CHECK(refused(R"({"failures_before_alert":0})") == "400 failures_before_alert");
  CHECK(refused(R"({"maintenance":{}})") == "400 maintenance");
  CHECK(refused(R"({"maintenance":[{}]})") == "400 maintenance[0]");
  CHECK(refused(R"({"maintenance":[{"until":"2023-11-14T22:00:00Z"}]})") == "400 maintenance[0]");
  CHECK(refused(R"({"maintenance":[{"cron":"@daily"}]})") == "400 maintenance[0]");
  CHECK(refused(R"({"maintenance":[{"cron":"@daily","until":"2023-11-14T22:00:00Z"}]})") == "400 maintenance[0]");
  CHECK(refused(R"({"maintenance":[{"cron":"@never","duration_seconds":1}]})") == "400 maintenance[0].cron");
  CHECK(refused(R"({"maintenance":[{"since":"2023-11-14T22:00:00Z","until":"2023-11-14T22:00:00Z"}]})") ==
        "400 maintenance[0].until");
  CHECK(at(api.get("/api/v1/jobs"), "/jobs") == "[]");
}

TEST_CASE("a job is paused until it is resumed") {
  const ApiFixture api;
  put(api, R"({"schedule":{"cron":"0 6 * * *"}})");
  const Response paused = api.post(kJob + "/pause", "");
  CHECK(paused.status == 200);
  CHECK(at(paused, "/paused") == "true");
  CHECK(at(paused, "/status") == "paused");
  CHECK(at(paused, "/paused_until") == "absent");
  CHECK(at(paused, "/next_expected_at") == "absent");
  CHECK(api.get(kJob).body == paused.body);
  CHECK(size_at(api.get("/api/v1/jobs?status=paused"), "/jobs") == 1);
  const Response resumed = api.post(kJob + "/resume", "");
  CHECK(at(resumed, "/paused") == "false");
  CHECK(at(resumed, "/status") == "new");
  CHECK(at(resumed, "/next_expected_at") == "2023-11-15T06:00:00Z");
  CHECK(api.post(kJob + "/resume", "").status == 200);
  CHECK(size_at(api.get("/api/v1/jobs?status=paused"), "/jobs") == 0);
}

TEST_CASE("a pause may have an end, and outlives a new specification") {
  ApiFixture api;
  put(api, R"({"schedule":{"cron":"0 6 * * *"}})");
  const Response paused = api.post(kJob + "/pause", R"({"until":"2023-11-16T05:00:00Z"})");
  CHECK(at(paused, "/paused_until") == "2023-11-16T05:00:00Z");
  CHECK(at(paused, "/next_expected_at") == "2023-11-16T06:00:00Z");
  const Response replaced = put(api, R"({"description":"new","paused":false})");
  CHECK(at(replaced, "/paused_until") == "2023-11-16T05:00:00Z");
  CHECK(at(api.post(kJob + "/pause", "{}"), "/paused_until") == "absent");
  api.post(kJob + "/pause", R"({"until":"2023-11-16T05:00:00Z"})");
  api.clock.advance(2 * 86'400 * kNanosPerSecond);
  CHECK(at(api.get(kJob), "/paused") == "false");
  CHECK(at(api.get(kJob), "/paused_until") == "absent");
}

TEST_CASE("a pause that makes no sense is refused") {
  const ApiFixture api;
  CHECK(api.post(kJob + "/pause", "").status == 404);
  CHECK(api.post(kJob + "/resume", "").status == 404);
  CHECK(api.post("/api/v1/jobs/-x/pause", "").status == 404);
  put(api, "{}");
  CHECK(blame(api.post(kJob + "/pause", R"({"until":"2023-11-14T22:13:20Z"})")) == "400 until");
  CHECK(blame(api.post(kJob + "/pause", R"({"until":7})")) == "400 until");
  CHECK(blame(api.post(kJob + "/pause", R"({"since":7})")) == "400 since");
  CHECK(api.post(kJob + "/pause", "[]").status == 400);
  CHECK(api.post(kJob + "/resume", "{}").status == 400);
  CHECK(api.send("POST", kJob + "/pause", "{}", "text/plain").status == 415);
  CHECK(api.send("GET", kJob + "/pause").status == 405);
  CHECK(at(api.get(kJob), "/paused") == "false");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
