// One run against others, and the changes of a job: what GET answers.
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kRuns = "/api/v1/runs/";
const std::string kChanges = "/api/v1/jobs/nightly/changes";

std::string two_digits(int number) { return (number < 10 ? "0" : "") + std::to_string(number); }

// The number-th run, an hour after the one before. Gives its id.
std::string record(const ApiFixture& api, int number, int seconds, const std::string& more = "") {
  const std::string start = "2023-11-" + two_digits(1 + number / 24) + "T" + two_digits(number % 24) + ":00:00Z";
  const Response response =
      api.post("/api/v1/jobs/nightly/runs", R"({"state":"succeeded","started_at":")" + start +
                                                R"(","duration_seconds":)" + std::to_string(seconds) + more + "}");
  REQUIRE(response.status == 201);
  return at(response, "/id");
}

std::string step(const std::string& name, int seconds) {
  const std::string total = std::to_string(seconds);
  return R"({"name":")" + name + R"(","count":1,"total_seconds":)" + total + R"(,"min_seconds":)" + total +
         R"(,"max_seconds":)" + total + "}";
}

TEST_CASE("a run is shown against those before it, part by part") {
  const ApiFixture api;
  for (int i = 0; i < 40; ++i) {
    record(api, i, 22 * 60,
           R"(,"steps":[)" + step("merge", 120) + R"(],"counters":{"rows":100},)" +
               R"("resources":{"cpu_user_seconds":60,"max_rss_bytes":1000})");
  }
  const std::string id = record(api, 50, 41 * 60,
                                R"(,"steps":[)" + step("merge", 1200) + R"(],"counters":{"rows":110},)" +
                                    R"("resources":{"cpu_user_seconds":90,"max_rss_bytes":1500,"read_bytes":7})");
  const Response comparison = api.get(kRuns + id + "/compare");
  CHECK(comparison.status == 200);
  CHECK(at(comparison, "/run/id") == id);
  CHECK(at(comparison, "/run/job") == "nightly");
  CHECK(at(comparison, "/run/steps") == "absent");
  CHECK(at(comparison, "/to") == "absent");
  CHECK(at(comparison, "/baseline/runs") == "40");
  CHECK(at(comparison, "/baseline/median") == "1320");
  CHECK(at(comparison, "/percentile_rank") == "1");
  CHECK(at(comparison, "/total/value") == "2460");
  CHECK(at(comparison, "/total/reference") == "1320");
  CHECK(at(comparison, "/total/difference") == "1140");
  CHECK(at(comparison, "/steps/0/step") == "merge");
  CHECK(at(comparison, "/steps/0/difference") == "1080");
  CHECK(at(comparison, "/steps/0/ratio") == "10");
  CHECK(at(comparison, "/counters/0/counter") == "rows");
  CHECK(at(comparison, "/counters/0/ratio") == "1.1");
  REQUIRE(size_at(comparison, "/resources") == 3);
  CHECK(at(comparison, "/resources/0/resource") == "cpu_seconds");
  CHECK(at(comparison, "/resources/0/difference") == "30");
  CHECK(at(comparison, "/resources/1/ratio") == "1.5");
  CHECK(at(comparison, "/resources/2/difference") == "absent");
  CHECK(at(comparison, "/verdict") == "slower");
  CHECK(at(comparison, "/explanation") ==
        "41.0 min against a median of 22.0 min of 40 runs, slower than 100 % of them: slower; 18 of the 19 min more in "
        "`merge`");
}

TEST_CASE("a run is shown against another of its job") {
  const ApiFixture api;
  const std::string one = record(api, 1, 40);
  const std::string other = record(api, 2, 30);
  const Response comparison = api.get(kRuns + one + "/compare?to=" + other);
  CHECK(at(comparison, "/run/id") == one);
  CHECK(at(comparison, "/to/id") == other);
  CHECK(at(comparison, "/baseline") == "absent");
  CHECK(at(comparison, "/percentile_rank") == "absent");
  CHECK(at(comparison, "/total/difference") == "10");
  CHECK(at(comparison, "/verdict") == "slower");
  CHECK(at(comparison, "/explanation") == "40.0 s against 30.0 s, +33 %: slower");
}

TEST_CASE("runs that cannot be compared are refused") {
  const ApiFixture api;
  const std::string one = record(api, 1, 40);
  const std::string other = api.succeed("other", 5, 5);
  const std::string open = at(api.post("/api/v1/jobs/nightly/runs", "{}"), "/id");
  CHECK(blame(api.get(kRuns + "no-id/compare")) == "400 id");
  CHECK(blame(api.get(kRuns + one + "/compare?to=no-id")) == "400 to");
  CHECK(blame(api.get(kRuns + one + "/compare?to=")) == "400 to");
  CHECK(blame(api.get(kRuns + one + "/compare?to=" + one)) == "400 to");
  CHECK(blame(api.get(kRuns + one + "/compare?to=" + other)) == "400 to");
  CHECK(blame(api.get(kRuns + one + "/compare?since=7d")) == "400 since");
  CHECK(blame(api.get(kRuns + kAnId + "/compare")) == "404 absent");
  CHECK(blame(api.get(kRuns + one + "/compare?to=" + kAnId)) == "404 absent");
  CHECK(blame(api.get(kRuns + open + "/compare")) == "409 absent");
  CHECK(blame(api.get(kRuns + one + "/compare?to=" + open)) == "409 absent");
}

TEST_CASE("the changes of a job are shown with what was before and after") {
  const ApiFixture api;
  for (int i = 0; i < 80; ++i) {
    const bool later = i >= 50;
    record(api, i, (later ? 600 : 400) + i % 7,
           std::string(R"(,"version":")") + (later ? "2.0" : "1.9") + R"(","build_id":")" + (later ? "7f3c" : "7f3b") +
               R"(","steps":[)" + step("load", 100 + i % 3) + "]");
  }
  const Response found = api.get(kChanges);
  CHECK(found.status == 200);
  CHECK(at(found, "/job") == "nightly");
  CHECK(at(found, "/measure") == "duration");
  CHECK(at(found, "/points") == "80");
  REQUIRE(size_at(found, "/changes") == 1);
  CHECK(at(found, "/changes/0/at") == "2023-11-03T02:00:00Z");
  CHECK(at(found, "/changes/0/median_before") == "403");
  CHECK(at(found, "/changes/0/median_after") == "603");
  CHECK(std::stod(at(found, "/changes/0/ratio")) > 1.49);
  CHECK(std::stod(at(found, "/changes/0/p_value")) < 1e-6);
  CHECK(at(found, "/changes/0/runs_before") == "50");
  CHECK(at(found, "/changes/0/runs_after") == "30");
  CHECK(at(found, "/changes/0/versions_before") == R"(["1.9"])");
  CHECK(at(found, "/changes/0/versions_after") == R"(["2.0"])");
  CHECK(at(found, "/changes/0/build_ids_before") == R"(["7f3b"])");
  CHECK(at(found, "/changes/0/build_ids_after") == R"(["7f3c"])");
  CHECK(at(found, "/changes/0/verdict") == "slower");
  CHECK(at(found, "/changes/0/explanation") ==
        "median 10.1 min over 30 runs against 6.72 min over 50 before, +50 %, p < 0.0001: slower");
  const Response of_step = api.get(kChanges + "?step=load");
  CHECK(at(of_step, "/step") == "load");
  CHECK(size_at(of_step, "/changes") == 0);
  CHECK(at(api.get(kChanges + "?version=2.0"), "/points") == "30");
  CHECK(at(api.get(kChanges + "?since=2023-11-03T00:00:00Z&until=2023-11-04T00:00:00Z"), "/points") == "24");
}

TEST_CASE("what changes do not understand is refused") {
  const ApiFixture api;
  record(api, 1, 40);
  CHECK(blame(api.get(kChanges + "?measure=speed")) == "400 measure");
  CHECK(blame(api.get(kChanges + "?outcome=failed")) == "400 outcome");
  CHECK(blame(api.get("/api/v1/jobs/unknown/changes")) == "404 absent");
  CHECK(size_at(api.get(kChanges), "/changes") == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
