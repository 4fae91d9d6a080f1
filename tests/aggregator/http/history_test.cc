// History and comparisons: what GET answers.
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kHistory = "/api/v1/jobs/nightly/history";
const std::string kCompare = "/api/v1/jobs/nightly/compare";

void record(const ApiFixture& api, const std::string& start, int seconds, const std::string& more = "") {
  const Response response =
      api.post("/api/v1/jobs/nightly/runs", R"({"state":"succeeded","started_at":")" + start +
                                                R"(","duration_seconds":)" + std::to_string(seconds) + more + "}");
  REQUIRE(response.status == 201);
}

TEST_CASE("history shows buckets with their statistics, their peak and their low") {
  const ApiFixture api;
  record(api, "2023-10-28T22:30:00Z", 10);
  record(api, "2023-10-29T22:59:59Z", 20);
  record(api, "2023-10-29T23:00:00Z", 60);
  const Response history = api.get(kHistory + "?timezone=Europe/Berlin");
  CHECK(history.status == 200);
  CHECK(at(history, "/job") == "nightly");
  CHECK(at(history, "/measure") == "duration");
  CHECK(at(history, "/bucket") == "day");
  CHECK(at(history, "/timezone") == "Europe/Berlin");
  REQUIRE(size_at(history, "/buckets") == 2);
  CHECK(at(history, "/buckets/0/start") == "2023-10-28T22:00:00Z");
  CHECK(at(history, "/buckets/0/end") == "2023-10-29T23:00:00Z");  // 25 hours
  CHECK(at(history, "/buckets/0/count") == "2");
  CHECK(at(history, "/buckets/0/median") == "10");
  CHECK(at(history, "/peak/start") == "2023-10-29T23:00:00Z");
  CHECK(at(history, "/peak/median") == "60");
  CHECK(at(history, "/low/start") == "2023-10-28T22:00:00Z");
  CHECK(at(api.get(kHistory), "/timezone") == "UTC");
  CHECK(size_at(api.get(kHistory + "?bucket=week"), "/buckets") == 1);  // Sunday ends at midnight, UTC
  CHECK(size_at(api.get(kHistory + "?bucket=hour"), "/buckets") == 3);
  CHECK(size_at(api.get(kHistory + "?bucket=month"), "/buckets") == 1);
}

TEST_CASE("history takes all that statistics take") {
  const ApiFixture api;
  record(api, "2023-11-01T10:00:00Z", 10,
         R"(,"counters":{"rows":5},"steps":[{"name":"load","count":1,"total_seconds":4,)"
         R"("min_seconds":4,"max_seconds":4}])");
  record(api, "2023-11-02T10:00:00Z", 30, R"(,"labels":{"env":"prod"})");
  CHECK(size_at(api.get(kHistory + "?since=2023-11-02T00:00:00Z"), "/buckets") == 1);
  CHECK(size_at(api.get(kHistory + "?label.env=prod"), "/buckets") == 1);
  CHECK(at(api.get(kHistory + "?measure=counter:rows"), "/peak/median") == "5");
  const Response step = api.get(kHistory + "?step=load");
  CHECK(at(step, "/step") == "load");
  CHECK(at(step, "/peak/median") == "4");
  CHECK(at(api.get(kHistory + "?outcome=failed"), "/buckets/0/count") == "0");
  CHECK(at(api.get(kHistory + "?outcome=failed"), "/peak") == "absent");
  CHECK(at(api.get(kHistory + "?min_count=2"), "/low") == "absent");
  CHECK(api.get(kHistory + "?since=2023-11-12T00:00:00Z&timezone=Etc/GMT+1").status == 200);
  CHECK(at(api.get(kHistory + "?timezone=Etc/GMT 1"), "/timezone") == "Etc/GMT+1");  // the '+' of a query string
  CHECK(api.get(kHistory + "?since=2023-11-12T00:00:00Z").body ==
        R"({"job":"nightly","measure":"duration","bucket":"day","timezone":"UTC","buckets":[]})");
}

TEST_CASE("what history does not understand is refused") {
  const ApiFixture api;
  api.succeed("nightly", 1, 1);
  CHECK(blame(api.get(kHistory + "?bucket=year")) == "400 bucket");
  CHECK(blame(api.get(kHistory + "?timezone=Europe/Berlinn")) == "400 timezone");
  CHECK(blame(api.get(kHistory + "?timezone=")) == "400 timezone");
  CHECK(blame(api.get(kHistory + "?timezone=../../../etc/passwd")) == "400 timezone");
  CHECK(blame(api.get(kHistory + "?min_count=0")) == "400 min_count");
  CHECK(blame(api.get(kHistory + "?min_count=-1")) == "400 min_count");
  CHECK(blame(api.get(kHistory + "?measure=speed")) == "400 measure");
  CHECK(blame(api.get(kHistory + "?limit=5")) == "400 limit");
  CHECK(blame(api.get("/api/v1/jobs/unknown/history")) == "404 absent");
}

TEST_CASE("a comparison shows both sides, the test, and what it concludes") {
  const ApiFixture api;
  for (int i = 0; i < 40; ++i) {
    const std::string load = std::to_string(i < 10 ? 70 : 20);
    api.post("/api/v1/jobs/nightly/runs",
             R"({"state":"succeeded","started_at":"2023-11-0)" + std::to_string(i < 10 ? 9 : 5) +
                 R"(T00:00:00Z","duration_seconds":)" + (i < 10 ? "90" : "40") +
                 R"(,"steps":[{"name":"tidy","count":1,"total_seconds":1,"min_seconds":1,"max_seconds":1},)"
                 R"({"name":"load","count":1,"total_seconds":)" +
                 load + R"(,"min_seconds":1,"max_seconds":)" + load + "}]}");
  }
  const Response comparison = api.get(kCompare + "?since=2023-11-09T00:00:00Z");
  CHECK(comparison.status == 200);
  CHECK(at(comparison, "/job") == "nightly");
  CHECK(at(comparison, "/measure") == "duration");
  CHECK(at(comparison, "/window/count") == "10");
  CHECK(at(comparison, "/window/median") == "90");
  CHECK(at(comparison, "/baseline/count") == "30");
  CHECK(at(comparison, "/median_ratio") == "2.25");
  CHECK(at(comparison, "/p95_ratio") == "2.25");
  CHECK(at(comparison, "/probability_slower") == "1");
  CHECK(std::stod(at(comparison, "/p_value")) < 1e-6);
  CHECK(at(comparison, "/effect_size") == "1");
  CHECK(at(comparison, "/shift") == "50");
  CHECK(at(comparison, "/normalized") == "absent");
  CHECK(at(comparison, "/verdict") == "slower");
  CHECK(at(comparison, "/explanation") ==
        "median 90.0 s against 40.0 s over 10 runs, +125 %, p < 0.0001: slower; 50 of the 50 s more in `load`");
  REQUIRE(size_at(comparison, "/steps") == 2);
  CHECK(at(comparison, "/steps/0/step") == "load");
  CHECK(at(comparison, "/steps/0/window/median") == "70");
  CHECK(at(comparison, "/steps/0/verdict") == "slower");
  CHECK(at(comparison, "/steps/1/step") == "tidy");
  CHECK(at(comparison, "/steps/1/verdict") == "unchanged");
  const Response step = api.get(kCompare + "?step=load&since=2023-11-09T00:00:00Z");
  CHECK(at(step, "/step") == "load");
  CHECK(at(step, "/window/median") == "70");
  CHECK(size_at(step, "/steps") == 0);
  CHECK(at(api.get(kCompare + "?baseline_since=2023-11-05T00:00:00Z&baseline_until=2023-11-06T00:00:00Z"),
           "/verdict") == "slower");
  CHECK(at(api.get(kCompare + "?version=9"), "/verdict") == "insufficient_data");
}

TEST_CASE("a comparison says where there was only more to do") {
  const ApiFixture api;
  for (int i = 0; i < 60; ++i) {
    const int rows = (i < 30 ? 1000 : 2000) + i;
    record(api, "2023-11-0" + std::to_string(i < 30 ? 1 : 2) + "T00:00:" + std::to_string(10 + i % 30) + "Z",
           rows / 10 + i % 3, R"(,"counters":{"rows":)" + std::to_string(rows) + "}");
  }
  const Response comparison = api.get(kCompare);
  CHECK(at(comparison, "/verdict") == "slower");
  CHECK(at(comparison, "/normalized/counter") == "rows");
  CHECK(at(comparison, "/normalized/verdict") == "unchanged");
  CHECK(std::stod(at(comparison, "/normalized/counter_ratio")) > 1.9);
  CHECK(std::stod(at(comparison, "/normalized/ratio")) > 0.95);
  CHECK(at(comparison, "/normalized/window_median") != "absent");
  CHECK(at(comparison, "/normalized/baseline_median") != "absent");
  CHECK(at(comparison, "/normalized/p_value") != "absent");
  CHECK(at(comparison, "/explanation").find("per `rows` it is unchanged: 2.0 times as many") != std::string::npos);
}

TEST_CASE("versions and builds are compared with each other") {
  const ApiFixture api;
  for (int i = 0; i < 40; ++i) {
    record(api, "2023-11-01T00:00:" + std::to_string(10 + i) + "Z", i % 2 == 0 ? 90 : 40,
           std::string(R"(,"version":")") + (i % 2 == 0 ? "2.0" : "1.9") + R"(","build_id":")" +
               (i % 2 == 0 ? "7f3c" : "7f3b") + "\"");
  }
  CHECK(at(api.get(kCompare + "?version=2.0&baseline_version=1.9"), "/verdict") == "slower");
  CHECK(at(api.get(kCompare + "?version=1.9&baseline_version=2.0"), "/verdict") == "faster");
  CHECK(at(api.get(kCompare + "?build_id=7f3c&baseline_build_id=7f3b"), "/median_ratio") == "2.25");
  CHECK(blame(api.get(kCompare + "?version=2.0&baseline_version=2.0")) == "400 baseline_version");
  CHECK(blame(api.get(kCompare + "?build_id=7f3c&baseline_build_id=7f3c")) == "400 baseline_build_id");
  CHECK(blame(api.get(kCompare + "?baseline_version=")) == "400 baseline_version");
}

TEST_CASE("what a comparison does not understand is refused") {
  const ApiFixture api;
  api.succeed("nightly", 1, 1);
  CHECK(blame(api.get(kCompare + "?since=2d&until=1d&baseline_since=3d&baseline_until=36h")) == "400 baseline_until");
  CHECK(blame(api.get(kCompare + "?since=2d&baseline_since=1d")) == "400 baseline_since");
  CHECK(blame(api.get(kCompare + "?baseline_since=tomorrow")) == "400 baseline_since");
  CHECK(blame(api.get(kCompare + "?outcome=failed")) == "400 outcome");
  CHECK(blame(api.get(kCompare + "?measure=cpu&step=load")) == "400 step");
  CHECK(blame(api.get("/api/v1/jobs/unknown/compare")) == "404 absent");
  CHECK(at(api.get(kCompare), "/verdict") == "insufficient_data");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
