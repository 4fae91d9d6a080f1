#include "aggregator/http/router.h"

#include <stdexcept>

#include "tests/aggregator/http/fixture.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::http {
namespace {

Handler says(const std::string& what) {
  return [what](const Request& request) {
    Response response;
    response.body = what;
    for (const auto& [name, value] : request.path_parameters) response.body += " " + name + "=" + value;
    return response;
  };
}

struct Table {
  Router router;
  Table() {
    router.add("GET", "/api/v1/jobs", says("jobs"));
    router.add("GET", "/api/v1/jobs/{job}", says("job"));
    router.add("GET", "/api/v1/jobs/{job}/runs", says("runs"));
    router.add("POST", "/api/v1/jobs/{job}/runs", says("report"));
    router.add("GET", "/a/{x}/{y}", says("two"));
  }
  Response send(std::string method, std::string path) const {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    return router.route(request);
  }
};

TEST_CASE("a path finds its handler, and its parameters their values") {
  const Table table;
  CHECK(table.send("GET", "/api/v1/jobs").body == "jobs");
  CHECK(table.send("GET", "/api/v1/jobs/nightly").body == "job job=nightly");
  CHECK(table.send("GET", "/api/v1/jobs/nightly/runs").body == "runs job=nightly");
  CHECK(table.send("POST", "/api/v1/jobs/nightly/runs").body == "report job=nightly");
  CHECK(table.send("GET", "/a/1/2").body == "two x=1 y=2");
  CHECK(table.send("GET", "/api/v1/jobs/{job}").body == "job job={job}");
}

TEST_CASE("a path that is not in the table is a 404") {
  const Table table;
  for (const char* path :
       {"", "/", "/api", "/api/v1/jobs/", "/api/v1/jobs//runs", "/api/v1/jobs/nightly/", "/api/v1/jobs/nightly/runs/",
        "//api/v1/jobs", "/API/v1/jobs", "api/v1/jobs", "/a/1", "/a/1/2/3", "/a//2"}) {
    INFO(path);
    CHECK(blame(table.send("GET", path)) == "404 absent");
  }
  CHECK(blame(table.send("GET", std::string(100'000, '/'))) == "404 absent");
}

TEST_CASE("a method that does not fit is a 405 that says which do") {
  const Table table;
  const Response one = table.send("DELETE", "/api/v1/jobs");
  CHECK(blame(one) == "405 absent");
  CHECK(header(one, "Allow") == "GET, HEAD");
  CHECK(header(table.send("PUT", "/api/v1/jobs/nightly/runs"), "Allow") == "GET, HEAD, POST");
  CHECK(table.send("get", "/api/v1/jobs").status == 405);
  CHECK(table.send("", "/api/v1/jobs").status == 405);
}

TEST_CASE("HEAD is answered as GET is") {
  const Table table;
  CHECK(table.send("HEAD", "/api/v1/jobs/nightly").body == "job job=nightly");
  CHECK(table.send("HEAD", "/nowhere").status == 404);
}

TEST_CASE("the routes can be listed") {
  const ApiFixture fixture;
  CHECK(fixture.api->routes().size() == 26);
  CHECK(fixture.api->routes().front().method == "POST");
  CHECK(fixture.api->routes().front().pattern == "/api/v1/runs");
}

TEST_CASE("unknown routes and methods of the API are problems") {
  const ApiFixture fixture;
  CHECK(blame(fixture.get("/api/v1/nothing")) == "404 absent");
  CHECK(blame(fixture.get("/api/v1/runs/")) == "404 absent");
  CHECK(blame(fixture.send("DELETE", "/api/v1/runs")) == "405 absent");
  CHECK(header(fixture.send("DELETE", "/api/v1/runs"), "Allow") == "POST, GET, HEAD");
}

TEST_CASE("hostile paths are shown, not obeyed") {
  const ApiFixture fixture;
  const Response response = fixture.get("/api/v1/<script>\"\\\n\xff");
  CHECK(blame(response) == "404 absent");
  CHECK(at(response, "/detail") == "there is nothing at /api/v1/<script>\"\\\n\xef\xbf\xbd");
}

TEST_CASE("a route asks for the scope that it was given, else a GET for reading and the rest for everything") {
  using keys::Scope;
  Table table;
  table.router.add("GET", "/open", says("open"), Scope::kNone);
  table.router.add("POST", "/told", says("told"), Scope::kWrite);
  const auto scope = [&](const char* method, const char* path) {
    Request request;
    request.method = method;
    request.path = path;
    return table.router.scope_of(request);
  };
  CHECK(scope("GET", "/open") == Scope::kNone);
  CHECK(scope("HEAD", "/open") == Scope::kNone);
  CHECK(scope("POST", "/told") == Scope::kWrite);
  CHECK(scope("GET", "/api/v1/jobs/nightly") == Scope::kRead);
  CHECK(scope("POST", "/api/v1/jobs/nightly/runs") == Scope::kAdmin);
  CHECK(scope("POST", "/open") == Scope::kRead);
  CHECK(scope("GET", "/nowhere") == Scope::kRead);
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
