// One run at a time, as curl would report it: POST /api/v1/jobs/{job}/runs, PATCH and GET /api/v1/runs/{id}.
#include "aggregator/ingest/push.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kRuns = "/api/v1/jobs/nightly/runs";
std::string path_of(const std::string& id) { return "/api/v1/runs/" + id; }

TEST_CASE("the life of a run by curl") {
  ApiFixture api;
  const Response started = api.post(kRuns, "{}");
  REQUIRE(started.status == 201);
  const std::string id = at(started, "/id");
  CHECK(header(started, "Location") == path_of(id));
  CHECK(at(started, "/job") == "nightly");
  CHECK(at(started, "/state") == "running");
  CHECK(at(started, "/started_at") == "2023-11-14T22:13:20Z");
  CHECK(id[14] == '7');

  api.clock.advance(30 * kNanosPerSecond);
  const Response half = api.patch(path_of(id), R"({"progress":0.5,"counters":{"rows":1000},"labels":{"team":"risk"}})");
  CHECK(half.status == 200);
  CHECK(at(half, "/progress") == "0.5");

  api.clock.advance(60 * kNanosPerSecond);
  const Response ended = api.patch(path_of(id), R"({"state":"succeeded","counters":{"files":2}})");
  CHECK(ended.status == 200);
  CHECK(at(ended, "/state") == "succeeded");
  CHECK(at(ended, "/duration_seconds") == "90");
  CHECK(at(ended, "/counters/rows") == "1000");
  CHECK(at(ended, "/counters/files") == "2");
  CHECK(at(ended, "/labels/team") == "risk");
  CHECK(api.get(path_of(id)).body == ended.body);
  CHECK(at(api.get("/api/v1/jobs/nightly/stats"), "/median") == "90");
}

TEST_CASE("an empty body starts a run too") {
  const ApiFixture api;
  CHECK(api.send("POST", kRuns).status == 201);
  CHECK(api.post(kRuns, "\n").status == 201);
  CHECK(at(api.get(kRuns), "/runs/1/state") == "running");
}

TEST_CASE("a past run is recorded with what its sender says") {
  const ApiFixture api;
  const Response response =
      api.post(kRuns, R"({"id":")" + std::string(kAnId) + R"(","job":"nightly","state":"failed","exit_code":3,
      "scheduled_at":"2023-11-01T00:00:00Z","started_at":"2023-11-01T01:00:05+01:00","finished_at":"2023-11-01T00:10:05Z",
      "failure":{"kind":"exit_code","message":"disk full"},"host":"h1","version":"2",
      "steps":[{"name":"load","count":2,"total_seconds":1.5,"min_seconds":0.5,"max_seconds":1}]})");
  REQUIRE(response.status == 201);
  CHECK(at(response, "/id") == kAnId);
  CHECK(at(response, "/started_at") == "2023-11-01T00:00:05Z");
  CHECK(at(response, "/start_delay_seconds") == "5");
  CHECK(at(response, "/duration_seconds") == "600");
  CHECK(at(response, "/failure/message") == "disk full");
  CHECK(at(response, "/steps/0/max_seconds") == "1");
}

TEST_CASE("the same run twice is known the second time") {
  const ApiFixture api;
  const std::string body = R"({"id":")" + std::string(kAnId) + R"(","started_at":"2023-11-01T00:00:00Z"})";
  const Response first = api.post(kRuns, body);
  const Response second = api.post(kRuns, body);
  CHECK(first.status == 201);
  CHECK(second.status == 200);
  CHECK(second.body == first.body);
  CHECK(header(second, "Location") == "absent");
}

TEST_CASE("an exported run can be posted back, and to another aggregator") {
  const ApiFixture api;
  const std::string id = api.succeed("nightly", 90, 3600);
  const std::string exported = api.get(path_of(id)).body;
  CHECK(api.post(kRuns, exported).status == 200);
  const ApiFixture other;
  const Response copied = other.post(kRuns, exported);
  CHECK(copied.status == 201);
  CHECK(copied.body == exported);
}

TEST_CASE("a run that cannot be is refused, naming the field") {
  const ApiFixture api;
  const char* const cases[][2] = {
      {"400 jobb", R"({"jobb":"nightly"})"},
      {"400 job", R"({"job":"weekly"})"},
      {"400 job", R"({"job":7})"},
      {"400 state", R"({"state":"done"})"},
      {"400 id", R"({"id":"7"})"},
      {"400 progress", R"({"progress":"half"})"},
      {"400 progress", R"({"progress":1.5})"},
      {"400 started_at", R"({"started_at":"yesterday"})"},
      {"400 failure.kind", R"({"state":"failed","failure":{"kind":"bad luck"}})"},
      {"400 finished_at",
       R"({"state":"succeeded","started_at":"2023-11-01T00:00:00Z","finished_at":"2023-10-01T00:00:00Z"})"},
      {"400 attempt", R"({"attempt":0})"},
      {"400 absent", R"({"state")"},
      {"400 absent", R"([])"},
  };
  for (const auto& one : cases) {
    INFO(one[1]);
    CHECK(blame(api.post(kRuns, one[1])) == one[0]);
  }
  CHECK(size_at(api.get("/api/v1/runs"), "/runs") == 0);
}

TEST_CASE("a bad job name in the path is refused") {
  const ApiFixture api;
  for (const char* name : {".hidden", "a b", "a%", "\xc3\xbc", "<script>"}) {
    INFO(name);
    CHECK(blame(api.post("/api/v1/jobs/" + std::string(name) + "/runs", "{}")) == "400 job");
  }
  CHECK(blame(api.post("/api/v1/jobs/" + std::string(201, 'x') + "/runs", "{}")) == "400 job");
}

TEST_CASE("a body needs the media type of JSON") {
  const ApiFixture api;
  CHECK(blame(api.send("POST", kRuns, "{}")) == "415 absent");
  CHECK(blame(api.send("POST", kRuns, "{}", "text/plain")) == "415 absent");
  CHECK(blame(api.send("POST", kRuns, "", "application/x-www-form-urlencoded")) == "415 absent");
  CHECK(blame(api.send("PATCH", path_of(kAnId), "{}", "application/x-ndjson")) == "415 absent");
  CHECK(blame(api.send("POST", "/api/v1/runs", "{}", "text/plain")) == "415 absent");
}

TEST_CASE("a known id under another job or with another start is a conflict") {
  const ApiFixture api;
  const std::string id = R"({"id":")" + std::string(kAnId) + R"(")";
  REQUIRE(api.post(kRuns, id + R"(,"started_at":"2023-11-01T00:00:00Z"})").status == 201);
  CHECK(blame(api.post("/api/v1/jobs/weekly/runs", id + "}")) == "409 job");
  CHECK(blame(api.post(kRuns, id + R"(,"started_at":"2023-11-02T00:00:00Z"})")) == "409 started_at");
}

TEST_CASE("what a run that ended says stays") {
  const ApiFixture api;
  const std::string id = api.succeed("nightly", 90, 3600);
  CHECK(blame(api.patch(path_of(id), R"({"state":"failed"})")) == "409 state");
  CHECK(blame(api.patch(path_of(id), R"({"counters":{"rows":1}})")) == "409 counters");
  CHECK(api.patch(path_of(id), R"({"labels":{"ticket":"OPS-1"}})").status == 200);
  CHECK(at(api.get(path_of(id)), "/labels/ticket") == "OPS-1");
  CHECK(at(api.get(path_of(id)), "/state") == "succeeded");
}

TEST_CASE("to a run that its program writes labels and a message may be added, and nothing else") {
  const ApiFixture api;
  Run run;
  run.id = *Uuid::parse(kAnId);
  run.job = "nightly";
  run.revision = 1;
  run.started_at = api.clock.now().wall;
  const auto push = [&] {
    return api.send("POST", "/api/v1/runs", wire::encode_run(run), "application/x-protobuf").status;
  };
  REQUIRE(push() == 200);
  CHECK(api.patch(path_of(kAnId), R"({"progress":0.5})").status == 409);
  CHECK(api.patch(path_of(kAnId), R"({"state":"succeeded"})").status == 409);
  const auto patched = api.patch(path_of(kAnId), R"({"labels":{"ticket":"OPS-1"},"failure":{"message":"known bug"}})");
  CHECK(patched.status == 200);
  CHECK(at(patched, "/labels/ticket") == "OPS-1");
  run.revision = 2;
  run.labels["region"] = "eu";
  REQUIRE(push() == 200);
  run.revision = 3;
  run.state = State::kFailed;
  run.failure = Failure{FailureKind::kException, "an exception", 0};
  run.finished_at = run.started_at;
  run.duration = 0;
  REQUIRE(push() == 200);
  const auto shown = api.get(path_of(kAnId));
  CHECK(at(shown, "/state") == "failed");
  CHECK(at(shown, "/labels/ticket") == "OPS-1");
  CHECK(at(shown, "/labels/region") == "eu");
  CHECK(at(shown, "/failure/kind") == "exception");
  CHECK(at(shown, "/failure/message") == "known bug");
  CHECK(at(api.get("/api/v1/runs?label.ticket=OPS-1"), "/runs/0/id") == kAnId);
}

TEST_CASE("a patch that cannot be is refused") {
  const ApiFixture api;
  const std::string id = at(api.post(kRuns, "{}"), "/id");
  CHECK(blame(api.patch(path_of(id), R"({"host":"h"})")) == "400 host");
  CHECK(blame(api.patch(path_of(id), R"({"wings":2})")) == "400 wings");
  CHECK(blame(api.patch(path_of(id), R"({"progress":2})")) == "400 progress");
  CHECK(blame(api.patch(path_of(id), R"({"failure":{"signal":"KILL"}})")) == "400 failure.signal");
  CHECK(blame(api.patch(path_of(id), "")) == "400 absent");
  CHECK(blame(api.patch(path_of("7"), "{}")) == "400 id");
  CHECK(blame(api.patch(path_of(kAnId), R"({"progress":0.5})")) == "404 id");
}

TEST_CASE("reading a run that is not there") {
  const ApiFixture api;
  CHECK(blame(api.get(path_of(kAnId))) == "404 absent");
  CHECK(blame(api.get(path_of("seven"))) == "400 id");
  CHECK(blame(api.get(path_of(kAnId) + "?steps=no")) == "400 steps");
}

TEST_CASE("hostile text comes back as it was sent") {
  const ApiFixture api;
  const Response response = api.post(
      kRuns,
      R"({"state":"failed","failure":{"message":"</script>\"\\\u0000\n\u2028ü"},"labels":{"\"><img":"' OR 1=1 --"}})");
  REQUIRE(response.status == 201);
  const std::string expected = std::string("</script>\"\\") + '\0' + "\n\xe2\x80\xa8\xc3\xbc";
  CHECK(at(response, "/failure/message") == expected);
  CHECK(at(response, "/labels/\"><img") == "' OR 1=1 --");
  CHECK(response.body.find('\n') == std::string::npos);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
