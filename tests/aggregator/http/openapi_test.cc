// The OpenAPI document is held to what the API does: the same routes, the same parameters, and real answers that meet
// its schemas.
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "aggregator/http/time_text.h"
#include "aggregator/keys/api_key.h"
#include "aggregator/keys/key_ring.h"
#include "tests/aggregator/http/fixture.h"
#include "tests/fakes/findings.h"
#include "tests/support/catch.h"
#include "tests/support/json_schema.h"

namespace kleptometrics::aggregator::http {
namespace {

using nlohmann::json;
using tests::JsonSchema;

const char* const kSpecification = R"({"description":"nightly","tags":["eu"],"retention_days":900,
  "schedule":{"cron":"0 */2 * * *"},"timezone":"Europe/Berlin","grace_seconds":30,"max_duration_seconds":600,
  "min_duration_seconds":1.5,"failures_before_alert":2,"successes_before_recovery":3,
  "maintenance":[{"since":"2023-11-14T22:00:00Z","until":"2023-11-15T22:00:00Z"},
                 {"cron":"@weekly","duration_seconds":3600}]})";

// An API over a store in which every answer has something to say.
struct Filled : ApiFixture {
  Filled() : document(json::parse(get("/api/v1/openapi.json").body)) {
    for (int number = 0; number < 60; ++number) report(number);
    CHECK(send("PUT", "/api/v1/jobs/import", kSpecification, "application/json").status == 200);
    CHECK(send("PUT", "/api/v1/jobs/export", R"({"schedule":{"interval_seconds":3600}})", "application/json").status ==
          200);
    CHECK(post("/api/v1/jobs/export/pause", R"({"until":"2100-01-01T00:00:00Z"})").status == 200);
    CHECK(post("/api/v1/jobs/import/runs", R"({"progress":0.5,"scheduled_at":"2023-11-14T22:00:00Z"})").status == 201);
    Alert alert = fakes::closed(fakes::raised("import", 1), fakes::kStart + fakes::seconds(3.5));
    alert.run_id = fakes::id_of(9);
    alert.acknowledged_at = fakes::kStart;
    alert.expected = fakes::seconds(60);
    alert.actual = fakes::seconds(70.25);
    Delay delay = fakes::closed(fakes::delayed("import", 1), fakes::kStart + 1);
    delay.run_id = alert.run_id;
    delay.actual = fakes::seconds(61);
    CHECK(store->record({{delay, fakes::delayed("export", 2)}, {alert, fakes::raised("export", 2)}}).ok());
    run_id = json::parse(get("/api/v1/runs?state=succeeded&limit=1").body)["runs"][0]["id"];
  }

  // Slower from the 40th on, by another version.
  void report(int number) {
    const int took = number < 40 ? 60 + number % 3 : 120 + number % 3;
    const Nanos start = 1'700'000'000 - 7200 * (60 - number);
    json run = {{"job", number % 7 == 0 ? "export" : "import"},
                {"state", number % 10 == 9 ? "failed" : "succeeded"},
                {"started_at", at_second(start)},
                {"finished_at", at_second(start + took)},
                {"scheduled_at", at_second(start - 90)},
                {"duration_seconds", took},
                {"version", number < 40 ? "1" : "2"},
                {"build_id", number < 40 ? "aa" : "bb"},
                {"host", "alpha"},
                {"pid", 7},
                {"program", "batch"},
                {"labels", {{"region", "eu"}}},
                {"counters", {{"rows", 1000 + number}}}};
    run["resources"] = {{"cpu_user_seconds", 1.5}, {"max_rss_bytes", 4096}};
    if (number % 10 == 9) run["failure"] = {{"kind", "signal"}, {"message", "killed"}, {"signal", 9}};
    const Response response = post("/api/v1/runs", json{{"runs", json::array({run})}}.dump());
    CHECK(json::parse(response.body)["accepted"] == 1);
    CHECK(JsonSchema(document).fault(schema("PushResult"), json::parse(response.body)).empty());
  }
  static std::string at_second(Nanos second) { return instant_text(second * kNanosPerSecond); }

  json schema(const std::string& name) const { return document["components"]["schemas"][name]; }
  // With the parameters of a path filled in.
  std::string concrete(std::string path) const {
    const auto fill = [&](const std::string& name, const std::string& value) {
      if (const auto at = path.find(name); at != std::string::npos) path.replace(at, name.size(), value);
    };
    fill("{job}", "import");
    fill("{id}", run_id);
    return path;
  }
  json parameter(const json& reference) const {
    return document.at(json::json_pointer(reference["$ref"].get<std::string>().substr(1)));
  }

  json document;
  std::string run_id;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

TEST_CASE("the document names every route, and no other") {
  const Filled api;
  std::set<std::string> routes;
  for (const Route& route : api.api->routes()) routes.insert(lower(route.method) + " " + route.pattern);
  std::set<std::string> documented;
  for (const auto& [path, operations] : api.document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (method != "parameters") documented.insert(method + " " + path);
    }
  }
  REQUIRE(documented == routes);
}

TEST_CASE("every answer to a GET meets the schema that the document gives it") {
  const Filled api;
  const JsonSchema schemas(api.document);
  for (const auto& [path, operations] : api.document["paths"].items()) {
    if (!operations.contains("get")) continue;
    const Response response = api.get(api.concrete(path));
    CAPTURE(path, response.body.substr(0, 300));
    REQUIRE(response.status == 200);
    const json forms = operations["get"]["responses"]["200"]["content"];
    if (!forms.contains("application/json")) {
      REQUIRE(forms.contains(response.content_type.substr(0, response.content_type.find(';'))));
      continue;
    }
    const json schema = forms["application/json"]["schema"];
    REQUIRE(schemas.fault(schema, json::parse(response.body)) == "");
  }
}

TEST_CASE("answers that ask for more meet their schemas, too") {
  const Filled api;
  const JsonSchema schemas(api.document);
  const std::map<std::string, std::string> asked = {
      {"/api/v1/jobs/import/stats?measure=counter:rows&outcome=any", "JobStats"},
      {"/api/v1/jobs/import/history?bucket=hour&timezone=Europe/Berlin", "History"},
      {"/api/v1/jobs/import/compare?version=2&baseline_version=1", "Comparison"},
      {"/api/v1/jobs/import/compare?since=30h", "Comparison"},
      {"/api/v1/top?by=total", "Top"},
      {"/api/v1/runs?label.region=eu&limit=3", "RunList"},
      {"/api/v1/jobs?tag=eu", "JobList"},
  };
  for (const auto& [target, name] : asked) {
    const Response response = api.get(target);
    CAPTURE(target, response.body.substr(0, 300));
    REQUIRE(response.status == 200);
    REQUIRE(schemas.fault(api.schema(name), json::parse(response.body)) == "");
  }
  REQUIRE(json::parse(api.get("/api/v1/jobs/import/changes").body)["changes"].size() == 1);
}

TEST_CASE("problems meet their schema") {
  const Filled api;
  const JsonSchema schemas(api.document);
  for (const char* const target :
       {"/api/v1/jobs/none/stats", "/api/v1/runs?job=none", "/nowhere", "/api/v1/runs?state=red"}) {
    const Response response = api.get(target);
    CAPTURE(target);
    REQUIRE(response.status >= 400);
    REQUIRE(schemas.fault(api.schema("Problem"), json::parse(response.body)) == "");
  }
}

TEST_CASE("every call documents an error of the server, and a list of an unknown job that there is none") {
  const Filled api;
  for (const auto& [path, operations] : api.document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (method != "parameters") REQUIRE(operation["responses"].contains("500"));
    }
  }
  REQUIRE(api.get("/api/v1/runs?job=none").status == 404);
  REQUIRE(api.document["paths"]["/api/v1/runs"]["get"]["responses"].contains("404"));
}

// `none`, or the scope that the document gives an operation.
std::string documented_scope(const json& operation) {
  const json& security = operation.at("security");
  return security.empty() ? "none" : security.at(0).at("api_key").at(0).get<std::string>();
}

// A ring with a key of each scope, and those keys by it.
struct Keys {
  std::map<std::string, std::string> by_scope;
  keys::KeyRing ring;

  Keys() : ring(make()) {}
  keys::KeyRing make() {
    std::string lines;
    for (const std::string scope : {"read", "write", "admin"}) {
      const std::string key = *keys::make_key();
      by_scope[scope] = key;
      lines += scope + "er " + scope + " " + keys::hex_of(keys::hash_of(key)) + "\n";
    }
    return *keys::KeyRing::parse(lines, "keys");
  }
};

TEST_CASE("every call asks for the scope that the document names, and is content with those that include it") {
  const Filled api;
  const Keys keys;
  const auto status_for = [&](const Request& request, std::optional<std::string_view> field) {
    const auto denial = api.api->authorize(request, field, keys.ring);
    return denial ? denial->status : 200;
  };
  const std::map<std::string, int> ranks = {{"none", 0}, {"read", 1}, {"write", 2}, {"admin", 3}};
  for (const auto& [path, operations] : api.document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      if (method == "parameters") continue;
      Request request;
      request.path = api.concrete(path);
      for (const char c : method) request.method += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      const int wanted = ranks.at(documented_scope(operation));
      CAPTURE(method, path, wanted);
      CHECK(status_for(request, std::nullopt) == (wanted == 0 ? 200 : 401));
      CHECK(status_for(request, "Bearer klepto_" + std::string(64, '0')) == (wanted == 0 ? 200 : 401));
      for (const auto& [scope, key] : keys.by_scope)
        CHECK(status_for(request, "Bearer " + key) == (ranks.at(scope) >= wanted ? 200 : 403));
      for (const char* status : {"401", "403"}) CHECK(operation["responses"].contains(status) == (wanted != 0));
    }
  }
}

TEST_CASE("what is no call asks for a key that reads, and says nothing to those without") {
  const Filled api;
  const Keys keys;
  for (const auto& [method, path] : {std::pair("GET", "/nowhere"), std::pair("DELETE", "/api/v1/jobs/import")}) {
    Request request;
    request.method = method;
    request.path = path;
    CHECK(api.api->authorize(request, std::nullopt, keys.ring)->status == 401);
    CHECK_FALSE(api.api->authorize(request, "Bearer " + keys.by_scope.at("read"), keys.ring));
  }
}

TEST_CASE("a refusal says what would help, and never what was sent") {
  const Filled api;
  const Keys keys;
  Request request;
  request.method = "PUT";
  request.path = "/api/v1/jobs/import";
  const auto missing = api.api->authorize(request, std::nullopt, keys.ring);
  CHECK(missing->challenge.find("Bearer") == 0);
  CHECK(missing->challenge.find("error") == std::string::npos);
  const auto unknown = api.api->authorize(request, "Bearer secret", keys.ring);
  CHECK(unknown->challenge.find("invalid_token") != std::string::npos);
  CHECK((unknown->challenge + unknown->detail).find("secret") == std::string::npos);
  const auto forbidden = api.api->authorize(request, "Bearer " + keys.by_scope.at("write"), keys.ring);
  CHECK(forbidden->challenge.find("scope=\"admin\"") != std::string::npos);
  CHECK((forbidden->challenge + forbidden->detail).find(keys.by_scope.at("write")) == std::string::npos);
}

TEST_CASE("each parameter of the document is known to its route, and others are not") {
  const Filled api;
  for (const auto& [path, operations] : api.document["paths"].items()) {
    if (!operations.contains("get")) continue;
    const std::string target = api.concrete(path);
    for (const json& reference : operations["get"].value("parameters", json::array())) {
      std::string name = api.parameter(reference)["name"];
      if (name == "label") name = "label.region";
      // A value that is no good to any of them: it may be at fault, its name may not.
      const json body = json::parse(api.get(target + "?" + name + "=~").body);
      CAPTURE(target, name, body.dump());
      REQUIRE(body.value("detail", "").find("is not known here") == std::string::npos);
    }
    CAPTURE(target);
    REQUIRE(blame(api.get(target + "?colour=red")) == "400 colour");
  }
}

TEST_CASE("the validator finds what does not meet a schema") {
  const json document = {{"a",
                          {{"type", "object"},
                           {"properties", {{"n", {{"type", "integer"}, {"minimum", 1}}}}},
                           {"required", {"n"}},
                           {"additionalProperties", false}}}};
  const JsonSchema schemas(document);
  const json schema = {{"$ref", "#/a"}};
  CHECK(schemas.fault(schema, {{"n", 1}}).empty());
  CHECK_FALSE(schemas.fault(schema, {{"n", 0}}).empty());
  CHECK_FALSE(schemas.fault(schema, {{"n", 1.5}}).empty());
  CHECK_FALSE(schemas.fault(schema, json::object()).empty());
  CHECK_FALSE(schemas.fault(schema, {{"n", 1}, {"m", 2}}).empty());
  const json one = {{"oneOf", {{{"minimum", 1}}, {{"maximum", 2}}}}};
  CHECK(schemas.fault(one, 3).empty());
  CHECK_FALSE(schemas.fault(one, 1).empty());
  CHECK_FALSE(schemas.fault({{"anyOf", json::array()}}, 1).empty());
}

}  // namespace
}  // namespace kleptometrics::aggregator::http
