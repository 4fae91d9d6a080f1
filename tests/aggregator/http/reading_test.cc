// Lists, jobs, statistics and health: what GET answers.
#include <set>
#include <sstream>

#include "lib/sketch/sketch.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

const std::string kRuns = "/api/v1/runs";

// Ids of one page; `token` becomes that of the next, empty after the last.
std::vector<std::string> page(const ApiFixture& api, const std::string& path, std::string& token) {
  const std::string separator = path.find('?') == std::string::npos ? "?" : "&";
  const Response response = api.get(token.empty() ? path : path + separator + "page_token=" + token);
  REQUIRE(response.status == 200);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < size_at(response, "/runs"); ++i) {
    ids.push_back(at(response, "/runs/" + std::to_string(i) + "/id"));
  }
  token = at(response, "/next_page_token") == "absent" ? "" : at(response, "/next_page_token");
  return ids;
}

std::size_t count(const ApiFixture& api, const std::string& query) { return size_at(api.get(kRuns + query), "/runs"); }

TEST_CASE("an empty aggregator has empty lists") {
  const ApiFixture api;
  CHECK(api.get(kRuns).body == R"({"runs":[]})");
  CHECK(api.get("/api/v1/jobs").body == R"({"jobs":[]})");
}

TEST_CASE("a list is paged without loss, newest start first") {
  const ApiFixture api;
  std::vector<std::string> expected;
  for (int i = 0; i < 120; ++i) expected.insert(expected.begin(), api.succeed("nightly", 1, 1000 - i));
  std::vector<std::string> seen;
  std::vector<std::size_t> sizes;
  std::string token;
  do {
    const auto ids = page(api, "/api/v1/jobs/nightly/runs", token);
    sizes.push_back(ids.size());
    seen.insert(seen.end(), ids.begin(), ids.end());
  } while (!token.empty());
  CHECK(sizes == std::vector<std::size_t>{50, 50, 20});
  CHECK(seen == expected);
}

TEST_CASE("pages stay as they are while new runs arrive, also among equal starts") {
  const ApiFixture api;
  for (int i = 0; i < 10; ++i) api.succeed("nightly", 1, 500);
  std::string token;
  const auto first = page(api, kRuns + "?limit=4", token);
  for (int i = 0; i < 5; ++i) api.succeed("nightly", 1, 10);
  std::set<std::string> seen(first.begin(), first.end());
  while (!token.empty()) {
    for (const auto& id : page(api, kRuns + "?limit=4", token)) CHECK(seen.insert(id).second);
  }
  CHECK(seen.size() == 10);
}

TEST_CASE("the last page, full or not, has no token") {
  const ApiFixture api;
  for (int i = 0; i < 4; ++i) api.succeed("nightly", 1, i);
  CHECK(at(api.get(kRuns + "?limit=4"), "/next_page_token") == "absent");
  CHECK(at(api.get(kRuns + "?limit=3"), "/next_page_token") != "absent");
}

TEST_CASE("a job tells what its runs usually take, and a run that is running when it will end") {
  const ApiFixture api;
  for (int i = 0; i < 20; ++i) api.succeed("nightly", 600, 86'400 * (20 - i));
  const Response job = api.get("/api/v1/jobs/nightly");
  CHECK(at(job, "/typical") == R"({"high_seconds":600,"low_seconds":600,"median_seconds":600,"period_seconds":86400})");
  CHECK(at(api.get("/api/v1/jobs"), "/jobs/0/typical") == "absent");
  const std::string id = at(api.post("/api/v1/jobs/nightly/runs", R"({"started_at":"2023-11-14T22:12:20Z"})"), "/id");
  CHECK(at(api.get(kRuns + "/" + id), "/eta/median") == "2023-11-14T22:22:20Z");
  CHECK(at(api.get(kRuns + "?state=running"), "/runs/0/eta/high") == "2023-11-14T22:22:20Z");
  CHECK(at(api.patch(kRuns + "/" + id, R"({"state":"succeeded"})"), "/state") == "succeeded");
  CHECK(at(api.get(kRuns + "/" + id), "/eta") == "absent");
  // Of a job without a history only the progress is known.
  const std::string other = at(api.post("/api/v1/jobs/new/runs", R"({"started_at":"2023-11-14T22:12:20Z"})"), "/id");
  CHECK(at(api.get(kRuns + "/" + other), "/eta") == "absent");
  api.patch(kRuns + "/" + other, R"({"progress":0.5})");
  CHECK(at(api.get(kRuns + "/" + other), "/eta/median") == "2023-11-14T22:14:20Z");
  CHECK(at(api.get("/api/v1/jobs/new"), "/typical") == "absent");
}

TEST_CASE("lists are filtered by what the API names") {
  const ApiFixture api;
  api.succeed("nightly", 1, 7200);
  api.post("/api/v1/jobs/weekly/runs",
           R"({"host":"h1","version":"2","build_id":"7f3c","labels":{"team":"risk","env":"prod"}})");
  CHECK(count(api, "") == 2);
  CHECK(count(api, "?state=succeeded") == 1);
  CHECK(count(api, "?state=succeeded,running") == 2);
  CHECK(count(api, "?state=failed") == 0);
  CHECK(count(api, "?since=1h") == 1);
  CHECK(count(api, "?until=1h") == 1);
  CHECK(count(api, "?since=2h") == 2);
  CHECK(count(api, "?until=2h") == 0);
  CHECK(count(api, "?since=2023-11-14T22:13:20Z") == 1);
  CHECK(count(api, "?until=2023-11-14T22:13:20Z") == 1);
  CHECK(count(api, "?job=weekly&host=h1&version=2&build_id=7f3c&label.team=risk&label.env=prod") == 1);
  CHECK(count(api, "?label.team=risk&label.env=test") == 0);
  CHECK(count(api, "?host=h2") == 0);
}

TEST_CASE("what a list does not understand is refused") {
  const ApiFixture api;
  api.succeed("nightly", 1, 1);
  for (const std::string& path : {kRuns, std::string("/api/v1/jobs/nightly/runs")}) {
    CHECK(blame(api.get(path + "?sort=id")) == "400 sort");
    CHECK(blame(api.get(path + "?limit=0")) == "400 limit");
    CHECK(blame(api.get(path + "?limit=1001")) == "400 limit");
    CHECK(blame(api.get(path + "?page_token=abc")) == "400 page_token");
    CHECK(blame(api.get(path + "?since=tomorrow")) == "400 since");
    CHECK(blame(api.get(path + "?since=1h&until=2h")) == "400 since");
    CHECK(blame(api.get(path + "?state=done")) == "400 state");
    CHECK(blame(api.get(path + "?host=a&host=b")) == "400 host");
  }
  CHECK(blame(api.get("/api/v1/jobs/nightly/runs?job=weekly")) == "400 job");
  CHECK(api.get("/api/v1/jobs/nightly/runs?job=nightly").status == 200);
  CHECK(blame(api.get("/api/v1/jobs/weekly/runs")) == "404 absent");
}

TEST_CASE("an export has every run on a line of its own, and can be sent back") {
  const ApiFixture api;
  for (int i = 0; i < 1200; ++i) {
    api.post(
        kRuns,
        R"({"runs":[{"job":"nightly","state":"succeeded","duration_seconds":1,"finished_at":"2023-11-01T00:00:00Z"}]})");
  }
  api.succeed("other", 1, 1);
  const Response response =
      api.send("GET", "/api/v1/jobs/nightly/runs?limit=10", {}, {}, "application/x-ndjson;q=0.9, */*");
  CHECK(response.content_type == "application/x-ndjson");
  std::istringstream lines(response.body);
  std::set<std::string> ids;
  for (std::string line; std::getline(lines, line);) ids.insert(at(line, "/id"));
  CHECK(ids.size() == 1200);
  const ApiFixture other;
  const Response sent = other.send("POST", kRuns, response.body, "application/x-ndjson");
  CHECK(at(sent, "/accepted") == "1200");
  CHECK(at(api.send("POST", kRuns, response.body, "application/x-ndjson"), "/duplicates") == "1200");
}

TEST_CASE("a job is shown with its status, last run and statistics") {
  const ApiFixture api;
  api.succeed("nightly", 90, 3600);
  const std::string last = api.succeed("nightly", 30, 60);
  const Response job = api.get("/api/v1/jobs/nightly");
  CHECK(job.status == 200);
  CHECK(at(job, "/name") == "nightly");
  CHECK(at(job, "/status") == "ok");
  CHECK(at(job, "/last_run/id") == last);
  CHECK(at(job, "/statistics/count") == "2");
  CHECK(at(job, "/statistics/max") == "90");
  CHECK(at(job, "/description") == "absent");
  CHECK(blame(api.get("/api/v1/jobs/unknown")) == "404 absent");
  CHECK(blame(api.get("/api/v1/jobs/nightly?since=1h")) == "400 since");
}

TEST_CASE("the last run of a job is shown without its steps") {
  const ApiFixture api;
  api.post("/api/v1/jobs/nightly/runs", R"({"steps":[{"name":"load"}]})");
  CHECK(at(api.get("/api/v1/jobs/nightly"), "/last_run/steps") == "absent");
  CHECK(at(api.get("/api/v1/jobs/nightly/runs"), "/runs/0/steps/0/name") == "load");
}

TEST_CASE("jobs are listed, searched, sorted and paged") {
  const ApiFixture api;
  api.succeed("beta", 1, 10);
  api.succeed("alpha", 1, 20);
  api.post("/api/v1/jobs/gamma/runs", R"({"started_at":"2023-11-01T00:00:00Z"})");
  const auto names = [&api](const std::string& query) {
    const Response response = api.get("/api/v1/jobs" + query);
    std::string all;
    for (std::size_t i = 0; i < size_at(response, "/jobs"); ++i) {
      all += at(response, "/jobs/" + std::to_string(i) + "/name") + " ";
    }
    return all;
  };
  CHECK(names("") == "alpha beta gamma ");
  CHECK(names("?sort=name") == "alpha beta gamma ");
  CHECK(names("?sort=last_run") == "beta alpha gamma ");
  CHECK(names("?search=et") == "beta ");
  CHECK(names("?status=running") == "gamma ");
  CHECK(names("?status=ok") == "alpha beta ");
  CHECK(names("?status=late") == "");
  CHECK(names("?tag=finance") == "");
  const std::string token = at(api.get("/api/v1/jobs?limit=2"), "/next_page_token");
  CHECK(names("?limit=2&page_token=" + token) == "gamma ");
  CHECK(at(api.get("/api/v1/jobs?limit=3"), "/next_page_token") == "absent");
}

TEST_CASE("what a list of jobs does not understand is refused") {
  const ApiFixture api;
  CHECK(blame(api.get("/api/v1/jobs?status=fine")) == "400 status");
  CHECK(blame(api.get("/api/v1/jobs?sort=size")) == "400 sort");
  CHECK(blame(api.get("/api/v1/jobs?page_token=zz")) == "400 page_token");
  CHECK(blame(api.get("/api/v1/jobs?state=failed")) == "400 state");
  CHECK(blame(api.get("/api/v1/jobs?limit=x")) == "400 limit");
  CHECK(blame(api.get("/api/v1/jobs?search=")) == "400 search");
}

TEST_CASE("statistics say what was measured, high and low with their runs") {
  const ApiFixture api;
  const std::string low = api.succeed("nightly", 10, 400);
  api.succeed("nightly", 20, 300);
  const std::string high = api.succeed("nightly", 60, 200);
  api.post("/api/v1/jobs/nightly/runs",
           R"({"state":"failed","duration_seconds":5,"counters":{"rows":100},"labels":{"env":"prod"}})");
  const Response all = api.get("/api/v1/jobs/nightly/stats");
  CHECK(at(all, "/job") == "nightly");
  CHECK(at(all, "/measure") == "duration");
  CHECK(at(all, "/count") == "3");
  CHECK(std::stod(at(all, "/median")) == Approx(20).epsilon(Sketch::kRelativeError));
  CHECK(std::stod(at(all, "/quantile_error")) == Sketch::kRelativeError);
  CHECK(at(all, "/mean") == "30");
  CHECK(at(all, "/high/value") == "60");
  CHECK(at(all, "/high/run_id") == high);
  CHECK(at(all, "/high/at") == "2023-11-14T22:10:00Z");
  CHECK(at(all, "/low/run_id") == low);
  CHECK(at(all, "/failed") == "1");
  CHECK(at(all, "/success_rate") == "0.75");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?outcome=any"), "/count") == "4");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?outcome=failed"), "/max") == "5");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?outcome=failed&measure=counter:rows"), "/max") == "100");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?since=350s"), "/count") == "2");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?label.env=prod"), "/succeeded") == "0");
  CHECK(at(api.get("/api/v1/jobs/nightly/stats?step=load"), "/step") == "load");
}

TEST_CASE("what statistics do not understand is refused") {
  const ApiFixture api;
  api.succeed("nightly", 1, 1);
  const std::string path = "/api/v1/jobs/nightly/stats";
  CHECK(blame(api.get(path + "?measure=speed")) == "400 measure");
  CHECK(blame(api.get(path + "?measure=cpu&step=load")) == "400 step");
  CHECK(blame(api.get(path + "?outcome=good")) == "400 outcome");
  CHECK(blame(api.get(path + "?state=failed")) == "400 state");
  CHECK(blame(api.get(path + "?limit=5")) == "400 limit");
  CHECK(blame(api.get(path + "?since=1h&until=2h")) == "400 since");
  CHECK(blame(api.get("/api/v1/jobs/unknown/stats")) == "404 absent");
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
