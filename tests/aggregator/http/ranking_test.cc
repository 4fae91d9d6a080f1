// The hours of the week, the top of all jobs, and answers about more than was asked for.
#include "aggregator/store/store.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kNightly = "/api/v1/jobs/nightly";

void record(const ApiFixture& api, const std::string& job, const std::string& start, int seconds,
            const std::string& state = "succeeded") {
  const Response response =
      api.post("/api/v1/jobs/" + job + "/runs", R"({"state":")" + state + R"(","started_at":")" + start +
                                                    R"(","duration_seconds":)" + std::to_string(seconds) + "}");
  REQUIRE(response.status == 201);
}

TEST_CASE("a profile shows the hours of the week, their peak and their low") {
  const ApiFixture api;
  record(api, "nightly", "2023-11-05T23:30:00Z", 10);  // a Sunday
  record(api, "nightly", "2023-11-06T01:30:00Z", 30);
  record(api, "nightly", "2023-11-13T01:00:00Z", 30);
  const Response profile = api.get(kNightly + "/profile");
  CHECK(profile.status == 200);
  CHECK(at(profile, "/job") == "nightly");
  CHECK(at(profile, "/measure") == "duration");
  CHECK(at(profile, "/timezone") == "UTC");
  REQUIRE(size_at(profile, "/cells") == 2);
  CHECK(at(profile, "/cells/0/weekday") == "monday");
  CHECK(at(profile, "/cells/0/hour") == "1");
  CHECK(at(profile, "/cells/0/count") == "2");
  CHECK(at(profile, "/cells/0/max") == "30");
  CHECK(at(profile, "/peak/weekday") == "monday");
  CHECK(at(profile, "/low/weekday") == "sunday");
  CHECK(at(profile, "/low/hour") == "23");
  CHECK(at(api.get(kNightly + "/profile?timezone=Europe/Berlin"), "/low/weekday") == "monday");
  CHECK(at(api.get(kNightly + "/profile?min_count=2"), "/low/weekday") == "monday");
  CHECK(size_at(api.get(kNightly + "/profile?since=2023-11-06T01:30:00Z"), "/cells") == 1);
  CHECK(at(api.get(kNightly + "/profile?step=load"), "/step") == "load");
  CHECK(at(api.get(kNightly + "/profile?outcome=failed"), "/cells/0/count") == "0");
  CHECK(api.get(kNightly + "/profile?until=2000-01-01T00:00:00Z").body ==
        R"({"job":"nightly","measure":"duration","timezone":"UTC","cells":[]})");
}

TEST_CASE("what a profile does not understand is refused") {
  const ApiFixture api;
  api.succeed("nightly", 1, 1);
  CHECK(blame(api.get(kNightly + "/profile?timezone=Mars")) == "400 timezone");
  CHECK(blame(api.get(kNightly + "/profile?bucket=hour")) == "400 bucket");
  CHECK(blame(api.get(kNightly + "/profile?measure=speed")) == "400 measure");
  CHECK(blame(api.get(kNightly + "/profile?min_count=0")) == "400 min_count");
  CHECK(blame(api.get("/api/v1/jobs/unknown/profile")) == "404 absent");
}

TEST_CASE("the top has the jobs that are first in what was asked") {
  const ApiFixture api;
  record(api, "a", "2023-11-01T00:00:00Z", 10);
  record(api, "a", "2023-11-02T00:00:00Z", 10);
  record(api, "b", "2023-11-01T00:00:00Z", 15);
  record(api, "c", "2023-11-01T00:00:00Z", 99, "failed");
  const Response top = api.get("/api/v1/top");
  CHECK(top.status == 200);
  CHECK(at(top, "/by") == "median");
  REQUIRE(size_at(top, "/jobs") == 2);
  CHECK(at(top, "/jobs/0/job") == "b");
  CHECK(at(top, "/jobs/0/value") == "15");
  CHECK(at(top, "/jobs/0/max") == "15");
  CHECK(at(top, "/jobs/0/high/at") == "2023-11-01T00:00:00Z");
  CHECK(at(api.get("/api/v1/top?by=total"), "/jobs/0/job") == "a");
  CHECK(at(api.get("/api/v1/top?by=total"), "/jobs/0/value") == "20");
  CHECK(at(api.get("/api/v1/top?by=failures"), "/jobs/0/job") == "c");
  CHECK(at(api.get("/api/v1/top?by=failures"), "/jobs/0/count") == "0");
  CHECK(size_at(api.get("/api/v1/top?by=delays"), "/jobs") == 0);
  CHECK(size_at(api.get("/api/v1/top?by=max&limit=1"), "/jobs") == 1);
  CHECK(at(api.get("/api/v1/top?by=p95&since=2023-11-02T00:00:00Z"), "/jobs/0/job") == "a");
  CHECK(api.get("/api/v1/top?until=2023-01-01T00:00:00Z").body == R"({"by":"median","jobs":[]})");
}

TEST_CASE("at first the top has twenty jobs, at most a thousand") {
  const ApiFixture api;
  for (int i = 0; i < 30; ++i) api.succeed("job" + std::to_string(i), i, 60);
  CHECK(size_at(api.get("/api/v1/top"), "/jobs") == 20);
  CHECK(size_at(api.get("/api/v1/top?limit=1000"), "/jobs") == 30);
  CHECK(blame(api.get("/api/v1/top?limit=1001")) == "400 limit");
  CHECK(blame(api.get("/api/v1/top?by=mean")) == "400 by");
  CHECK(blame(api.get("/api/v1/top?since=1h&until=2h")) == "400 since");
  CHECK(blame(api.get("/api/v1/top?host=h")) == "400 host");
  CHECK(blame(api.get("/api/v1/top?page_token=x")) == "400 page_token");
}

TEST_CASE("an answer says where runs have expired that it would need, and what it is about instead") {
  const ApiFixture api;
  record(api, "nightly", "2023-11-01T10:10:00Z", 10);
  record(api, "nightly", "2023-11-01T10:50:00Z", 20);
  record(api, "nightly", "2023-11-10T00:00:00Z", 30);
  const std::string since = "?since=2023-11-01T10:30:00Z";
  CHECK(at(api.get(kNightly + "/stats" + since), "/count") == "2");
  CHECK(at(api.get(kNightly + "/stats" + since), "/approximate") == "absent");
  JobSpec spec;
  spec.retention_days = 1;
  REQUIRE(api.store->put_job("nightly", spec).ok());
  REQUIRE(api.store->maintain(api.clock.now().wall + 3 * stats::kDay, true)->expired == 3);
  const std::string range = since + "&until=2023-11-02T00:00:00Z";
  for (const std::string& path : {kNightly + "/stats" + range, kNightly + "/history" + range,
                                  kNightly + "/profile" + range, "/api/v1/top" + range}) {
    INFO(path);
    const Response answer = api.get(path);
    CHECK(at(answer, "/approximate") == "true");
    CHECK(at(answer, "/since") == "2023-11-01T10:00:00Z");
    CHECK(at(answer, "/until") == "2023-11-02T00:00:00Z");
  }
  CHECK(at(api.get(kNightly + "/stats" + since), "/count") == "3");
  CHECK(at(api.get(kNightly + "/stats" + since), "/until") == "absent");
  CHECK(at(api.get(kNightly + "/history" + range), "/buckets/0/approximate") == "true");
  CHECK(at(api.get(kNightly + "/history" + range), "/buckets/0/since") == "2023-11-01T10:00:00Z");
  CHECK(at(api.get(kNightly + "/history" + since), "/buckets/1/approximate") == "absent");
  CHECK(at(api.get(kNightly + "/stats?since=2023-11-01T10:00:00Z"), "/approximate") == "absent");
  const Response kolkata = api.get(kNightly + "/history?bucket=hour&timezone=Asia/Kolkata");
  CHECK(at(kolkata, "/approximate") == "true");
  CHECK(at(kolkata, "/since") == "absent");
  CHECK(at(kolkata, "/buckets/0/start") == "2023-11-01T09:30:00Z");
  CHECK(at(kolkata, "/buckets/0/since") == "2023-11-01T10:00:00Z");
  CHECK(at(kolkata, "/buckets/0/until") == "2023-11-01T11:00:00Z");
  CHECK(at(kolkata, "/buckets/0/count") == "2");
  CHECK(at(api.get(kNightly + "/stats?version=2"), "/approximate") == "true");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
