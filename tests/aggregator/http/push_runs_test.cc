// Many runs at once: POST /api/v1/runs as protobuf, JSON and NDJSON.
#include "aggregator/ingest/push.h"
#include "lib/base/limits.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kPath = "/api/v1/runs";

std::string run_of(const std::string& job, const std::string& id = kAnId) {
  return R"({"id":")" + id + R"(","job":")" + job +
         R"(","state":"succeeded","started_at":"2023-11-01T00:00:00Z","duration_seconds":1})";
}

Response ndjson(const ApiFixture& api, std::string body) {
  return api.send("POST", kPath, std::move(body), "application/x-ndjson");
}
Response protobuf(const ApiFixture& api, std::string body) {
  return api.send("POST", kPath, std::move(body), "application/x-protobuf");
}

TEST_CASE("JSON: runs are accepted once and counted") {
  const ApiFixture api;
  const std::string body = R"({"runs":[)" + run_of("a") + "," + run_of("b", kAnotherId) + "]}";
  CHECK(api.post(kPath, body).body == R"({"accepted":2,"duplicates":0,"rejected":[]})");
  CHECK(api.post(kPath, body).body == R"({"accepted":0,"duplicates":2,"rejected":[]})");
  CHECK(api.post(kPath, R"({"runs":[]})").body == R"({"accepted":0,"duplicates":0,"rejected":[]})");
  CHECK(size_at(api.get(kPath), "/runs") == 2);
}

TEST_CASE("JSON: a run may leave its id and start to the server") {
  const ApiFixture api;
  CHECK(at(api.post(kPath, R"({"runs":[{"job":"a"},{"job":"a"}]})"), "/accepted") == "2");
  CHECK(size_at(api.get(kPath), "/runs") == 2);
}

TEST_CASE("JSON: one bad run is rejected alone") {
  const ApiFixture api;
  const Response response = api.post(kPath, R"({"runs":[{"job":"a","colour":"red"},)" + run_of("b") +
                                                R"(,7,{"job":".."},{"job":"c","progress":"x"}]})");
  CHECK(response.status == 200);
  CHECK(at(response, "/accepted") == "1");
  CHECK(size_at(response, "/rejected") == 4);
  CHECK(at(response, "/rejected/0/index") == "0");
  CHECK(at(response, "/rejected/0/field") == "colour");
  CHECK(at(response, "/rejected/0/retryable") == "false");
  CHECK(at(response, "/rejected/1/index") == "2");
  CHECK(at(response, "/rejected/1/field") == "absent");
  CHECK(at(response, "/rejected/1/detail") == "the JSON value must be an object, got number");
  CHECK(at(response, "/rejected/2/index") == "3");
  CHECK(at(response, "/rejected/2/field") == "job");
  CHECK(at(response, "/rejected/3/index") == "4");
  CHECK(at(response, "/rejected/3/field") == "progress");
}

TEST_CASE("JSON: a body that is no list of runs is refused as a whole") {
  const ApiFixture api;
  CHECK(blame(api.post(kPath, "{}")) == "400 runs");
  CHECK(blame(api.post(kPath, R"({"runs":{}})")) == "400 runs");
  CHECK(blame(api.post(kPath, R"({"runs":[],"extra":1})")) == "400 extra");
  CHECK(blame(api.post(kPath, R"([{"job":"a"}])")) == "400 absent");
  CHECK(blame(api.post(kPath, "")) == "400 absent");
  const std::string truncated = problem_of(api.post(kPath, R"({"runs":[{"job":"a"})"));
  CHECK(truncated.find("line 1, column 21") != std::string::npos);
  CHECK(size_at(api.get(kPath), "/runs") == 0);
}

TEST_CASE("NDJSON: a run a line, blank lines skipped, with or without a line break at the end") {
  const ApiFixture api;
  const Response response = ndjson(api, "\n" + run_of("a") + "\r\n  \n" + run_of("b", kAnotherId));
  CHECK(response.content_type == "application/json");
  CHECK(response.body == R"({"accepted":2,"duplicates":0,"rejected":[]})");
  CHECK(ndjson(api, "").body == R"({"accepted":0,"duplicates":0,"rejected":[]})");
}

TEST_CASE("NDJSON: a malformed line is rejected alone, under its line") {
  const ApiFixture api;
  const Response response = ndjson(api, run_of("a") + "\n\n{\"job\":\n" + run_of("b", kAnotherId) + "\n[]\n");
  CHECK(response.status == 200);
  CHECK(at(response, "/accepted") == "2");
  CHECK(size_at(response, "/rejected") == 2);
  CHECK(at(response, "/rejected/0/index") == "2");
  CHECK(at(response, "/rejected/0/detail").find("malformed JSON") == 0);
  CHECK(at(response, "/rejected/1/index") == "4");
}

TEST_CASE("an id that is known under another job is rejected alone") {
  const ApiFixture api;
  const Response response = ndjson(api, run_of("a") + "\n" + run_of("b"));
  CHECK(at(response, "/accepted") == "1");
  CHECK(at(response, "/rejected/0/index") == "1");
  CHECK(at(response, "/rejected/0/field") == "job");
  CHECK(at(response, "/rejected/0/retryable") == "false");
}

TEST_CASE("protobuf in, protobuf out") {
  const ApiFixture api;
  Run run;
  run.id = *Uuid::parse(kAnId);
  run.job = "nightly";
  run.revision = 1;
  run.started_at = api.clock.now().wall;
  const Response response = protobuf(api, wire::encode_run(run));
  CHECK(response.status == 200);
  CHECK(response.content_type == "application/x-protobuf");
  CHECK(response.body == std::string("\x08\x01"));  // accepted: 1
  CHECK(protobuf(api, wire::encode_run(run)).body == std::string("\x10\x01"));
  CHECK(at(api.get(kPath), "/runs/0/job") == "nightly");
}

TEST_CASE("protobuf: what is none is refused as a whole") {
  const ApiFixture api;
  CHECK(blame(protobuf(api, "\xff\xff\xff")) == "400 absent");
}

TEST_CASE("more runs than one request may bring are refused as a whole") {
  const ApiFixture api;
  std::string json = R"({"runs":[{})";
  std::string lines = "{}\n";
  std::string messages("\x0a\x00", 2);
  for (std::size_t i = 0; i < limits::batch_runs_max; ++i) {
    json += ",{}";
    lines += "{}\n";
    messages += std::string("\x12\x00", 2);
  }
  CHECK(at(ndjson(api, lines.substr(3)), "/rejected/9999/index") == "9999");
  CHECK(blame(api.post(kPath, json + "]}")) == "413 absent");
  CHECK(blame(ndjson(api, lines)) == "413 absent");
  CHECK(blame(protobuf(api, messages + std::string("\x12\x00", 2))) == "413 absent");
}

TEST_CASE("a body beyond its limit is refused") {
  const ApiFixture api;
  CHECK(blame(api.post(kPath, std::string(limits::body_bytes_max + 1, ' '))) == "413 absent");
}

TEST_CASE("while the aggregator stops, senders are told to come back") {
  const ApiFixture api;
  api.committer->stop();
  const Response response = api.post(kPath, R"({"runs":[{"job":"a"}]})");
  CHECK(blame(response) == "503 absent");
  CHECK(header(response, "Retry-After") == "1");
  CHECK(blame(api.post("/api/v1/jobs/a/runs", "{}")) == "503 absent");
}

TEST_CASE("a push takes no query parameters") {
  const ApiFixture api;
  CHECK(blame(api.post(kPath + "?dry_run=1", R"({"runs":[]})")) == "400 dry_run");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
