// What a job is expected to do is the same as a message and as JSON.
#include <nlohmann/json.hpp>

#include "aggregator/http/time_text.h"
#include "kleptometrics/v1/query.pb.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

using Json = nlohmann::json;

const std::string kJob = "/api/v1/jobs/nightly";

void put_nonzero(Json& json, const char* name, std::int64_t nanos) {
  if (nanos != 0) json[name] = static_cast<double>(nanos) / 1e9;
}

// What a job is expected to do, as the JSON has it.
Json expectations_told(const v1::Job& job) {
  Json json = Json::object();
  if (!job.cron().empty()) json["schedule"]["cron"] = job.cron();
  if (job.interval_ns() != 0) put_nonzero(json["schedule"], "interval_seconds", job.interval_ns());
  if (!job.timezone().empty()) json["timezone"] = job.timezone();
  json["grace_seconds"] = static_cast<double>(job.grace_ns()) / 1e9;
  put_nonzero(json, "max_duration_seconds", job.max_duration_ns());
  put_nonzero(json, "min_duration_seconds", job.min_duration_ns());
  json["failures_before_alert"] = job.failures_before_alert();
  json["successes_before_recovery"] = job.successes_before_recovery();
  for (const v1::MaintenanceWindow& window : job.maintenance()) {
    Json& each = json["maintenance"].emplace_back(Json::object());
    if (window.until_ns() != 0) each["since"] = instant_text(window.since_ns());
    if (window.until_ns() != 0) each["until"] = instant_text(window.until_ns());
    if (!window.cron().empty()) each["cron"] = window.cron();
    put_nonzero(each, "duration_seconds", window.duration_ns());
  }
  json["paused"] = job.paused();
  if (job.has_paused_until_ns()) json["paused_until"] = instant_text(job.paused_until_ns());
  if (job.has_next_expected_at_ns()) json["next_expected_at"] = instant_text(job.next_expected_at_ns());
  return json;
}

Json expectations_of(const Json& job) {
  Json json = Json::object();
  for (const char* name : {"schedule", "timezone", "grace_seconds", "max_duration_seconds", "min_duration_seconds",
                           "failures_before_alert", "successes_before_recovery", "maintenance", "paused",
                           "paused_until", "next_expected_at"}) {
    if (job.contains(name)) json[name] = job.at(name);
  }
  return json;
}

// Puts the specification, and compares the two forms of what then stands.
void check_both(const ApiFixture& api, const std::string& spec) {
  INFO(spec);
  REQUIRE(api.send("PUT", kJob, spec, "application/json").status <= 201);
  v1::Job job;
  REQUIRE(job.ParseFromString(api.send("GET", kJob, {}, {}, "application/x-protobuf").body));
  CHECK(expectations_told(job) == expectations_of(Json::parse(api.get(kJob).body)));
}

TEST_CASE("what a job is expected to do is the same in both forms") {
  const ApiFixture api;
  check_both(api, "{}");
  check_both(api, R"({"schedule":{"interval_seconds":60},"min_duration_seconds":0.25})");
  api.post(kJob + "/runs", "{}");
  check_both(api, R"({"schedule":{"interval_seconds":60},"successes_before_recovery":3})");
  const std::string full = R"({"schedule":{"cron":"@daily"},"timezone":"Asia/Kolkata","grace_seconds":0.5,
    "max_duration_seconds":60,"failures_before_alert":2,
    "maintenance":[{"since":"2023-11-14T22:00:00Z","until":"2023-11-14T22:00:01Z"},
                   {"cron":"@weekly","duration_seconds":2}]})";
  check_both(api, full);
  REQUIRE(api.post(kJob + "/pause", R"({"until":"2030-01-01T00:00:00Z"})").status == 200);
  check_both(api, full);
  REQUIRE(api.post(kJob + "/pause", "").status == 200);
  check_both(api, full);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
