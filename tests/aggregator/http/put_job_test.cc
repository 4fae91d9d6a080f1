// What jobs are meant to be: PUT, and what GET then shows.
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kJob = "/api/v1/jobs/nightly";

Response put(const ApiFixture& api, const std::string& json, const std::string& path = kJob) {
  return api.send("PUT", path, json, "application/json");
}

TEST_CASE("a job that is put is there, new and without runs") {
  const ApiFixture api;
  const Response made = put(api, R"({"description":"bills","tags":["eu","billing","eu"],"retention_days":90})");
  CHECK(made.status == 201);
  CHECK(header(made, "Location") == kJob);
  CHECK(at(made, "/name") == "nightly");
  CHECK(at(made, "/status") == "new");
  CHECK(at(made, "/description") == "bills");
  CHECK(at(made, "/tags") == R"(["billing","eu"])");
  CHECK(at(made, "/retention_days") == "90");
  CHECK(at(made, "/last_run") == "absent");
  CHECK(at(made, "/statistics/count") == "0");
  CHECK(api.get(kJob).body == made.body);
  CHECK(at(api.get("/api/v1/jobs"), "/jobs/0/status") == "new");
  CHECK(size_at(api.get(kJob + "/runs"), "/runs") == 0);
  CHECK(at(api.get(kJob + "/stats"), "/count") == "0");
  CHECK(size_at(api.get(kJob + "/history"), "/buckets") == 0);
  CHECK(size_at(api.get(kJob + "/profile"), "/cells") == 0);
}

TEST_CASE("a specification takes the place of the one before, and leaves the runs alone") {
  const ApiFixture api;
  api.succeed("nightly", 5, 60);
  CHECK(put(api, R"({"description":"old","tags":["a"],"retention_days":1})").status == 200);
  const Response second = put(api, R"({"description":"new"})");
  CHECK(second.status == 200);
  CHECK(header(second, "Location") == "absent");
  CHECK(at(second, "/description") == "new");
  CHECK(at(second, "/tags") == "absent");
  CHECK(at(second, "/retention_days") == "absent");
  CHECK(at(second, "/statistics/count") == "1");
  CHECK(at(second, "/status") == "ok");
  CHECK(at(put(api, "{}"), "/description") == "absent");
}

TEST_CASE("a job that was read can be put back") {
  const ApiFixture api;
  api.succeed("nightly", 5, 60);
  put(api, R"({"description":"bills","tags":["a","b"],"retention_days":7})");
  const Response read = api.get(kJob);
  const Response again = put(api, read.body);
  CHECK(again.status == 200);
  CHECK(again.body == read.body);
  CHECK(put(api, R"({"paused":true,"status":"late","next_expected_at":"2030-01-01T00:00:00Z","typical":{}})").status ==
        200);
}

TEST_CASE("jobs are selected by their tags") {
  const ApiFixture api;
  put(api, R"({"tags":["finance","eu"]})");
  put(api, R"({"tags":["eu"]})", "/api/v1/jobs/weekly");
  CHECK(size_at(api.get("/api/v1/jobs?tag=eu"), "/jobs") == 2);
  CHECK(at(api.get("/api/v1/jobs?tag=finance"), "/jobs/0/name") == "nightly");
  CHECK(size_at(api.get("/api/v1/jobs?tag=us"), "/jobs") == 0);
  CHECK(size_at(api.get("/api/v1/jobs?status=new"), "/jobs") == 2);
}

TEST_CASE("what a specification cannot be is refused, and changes nothing") {
  const ApiFixture api;
  CHECK(blame(put(api, R"({"tag":["a"]})")) == "400 tag");
  CHECK(blame(put(api, R"({"webhooks":[]})")) == "400 webhooks");
  CHECK(blame(put(api, R"({"description":5})")) == "400 description");
  CHECK(blame(put(api, R"({"tags":"a"})")) == "400 tags");
  CHECK(blame(put(api, R"({"tags":["a",7]})")) == "400 tags[1]");
  CHECK(blame(put(api, R"({"tags":[""]})")) == "400 tags");
  CHECK(blame(put(api, R"({"retention_days":-1})")) == "400 retention_days");
  CHECK(blame(put(api, R"({"retention_days":1.5})")) == "400 retention_days");
  CHECK(blame(put(api, R"({"retention_days":36501})")) == "400 retention_days");
  CHECK(blame(put(api, R"({"name":"weekly"})")) == "400 name");
  CHECK(blame(put(api, R"({"name":5})")) == "400 name");
  CHECK(blame(put(api, R"({"description":")" + std::string(4097, 'x') + R"("})")) == "400 description");
  CHECK(blame(put(api, "[]")) == "400 absent");
  CHECK(blame(put(api, "")) == "400 absent");
  CHECK(blame(put(api, "{}", "/api/v1/jobs/-x")) == "400 job");
  CHECK(blame(put(api, "{}", kJob + "?force=1")) == "400 force");
  CHECK(api.send("PUT", kJob, "{}", "text/plain").status == 415);
  CHECK(at(api.get("/api/v1/jobs"), "/jobs") == "[]");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
