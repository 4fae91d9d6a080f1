#include "tests/aggregator/http/fixture.h"

#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "aggregator/http/time_text.h"

namespace kleptometrics::aggregator::http {

namespace {

std::unique_ptr<Store> memory_store() {
  auto opened = open_store("memory:");
  if (!opened.ok()) throw std::runtime_error("no store");
  return *std::move(opened);
}

}  // namespace

ApiFixture::ApiFixture() : ApiFixture(memory_store()) {}

ApiFixture::ApiFixture(std::unique_ptr<Store> over) : store(std::move(over)) {
  auto created = Committer::create(*store, clock, {});
  if (!created.ok()) throw std::runtime_error("no committer");
  committer = *std::move(created);
  committer->start();
  query = std::make_unique<query::Query>(*store);
  api = std::make_unique<Api>(*committer, *query, *store, clock);
}

ApiFixture::~ApiFixture() { committer->stop(); }

Response ApiFixture::send(std::string method, std::string_view target, std::string body, std::string content_type,
                          std::string accept) const {
  Request request;
  request.method = std::move(method);
  request.path = target.substr(0, target.find('?'));
  target.remove_prefix(request.path.size());
  while (!target.empty()) {
    target.remove_prefix(1);
    const std::string_view pair = target.substr(0, target.find('&'));
    target.remove_prefix(pair.size());
    const auto equals = pair.find('=');
    request.query.emplace_back(pair.substr(0, equals), equals == std::string_view::npos ? "" : pair.substr(equals + 1));
  }
  request.body = std::move(body);
  request.content_type = std::move(content_type);
  request.accept = std::move(accept);
  return api->handle(request);
}

std::string ApiFixture::succeed(const std::string& job, int seconds, int age_seconds) const {
  const std::string start = instant_text(clock.now().wall - age_seconds * kNanosPerSecond);
  const Response response =
      post("/api/v1/jobs/" + job + "/runs", R"({"state":"succeeded","started_at":")" + start +
                                                R"(","duration_seconds":)" + std::to_string(seconds) + "}");
  if (response.status != 201) throw std::runtime_error(response.body);
  return at(response, "/id");
}

std::string at(const std::string& json, const std::string& pointer) {
  const auto parsed = nlohmann::json::parse(json);
  const nlohmann::json::json_pointer path(pointer);
  if (!parsed.contains(path)) return "absent";
  const auto& value = parsed[path];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string at(const Response& response, const std::string& pointer) { return at(response.body, pointer); }

std::size_t size_at(const Response& response, const std::string& pointer) {
  return nlohmann::json::parse(response.body)[nlohmann::json::json_pointer(pointer)].size();
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "absent";
}

std::string blame(const Response& response) {
  const std::string status = std::to_string(response.status);
  if (response.content_type != "application/problem+json" || at(response, "/status") != status ||
      at(response, "/type") != "about:blank" || at(response, "/title") == "absent" ||
      at(response, "/detail") == "absent") {
    return "no problem document: " + status + " " + response.body;
  }
  return status + " " + at(response, "/field");
}

std::string problem_of(const Response& response) { return blame(response) + ": " + at(response, "/detail"); }

}  // namespace kleptometrics::aggregator::http
