#include "aggregator/http/router.h"

#include <map>
#include <optional>
#include <utility>

#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {
namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;

// Takes the first segment off a path that begins with '/'.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool is_parameter(std::string_view segment) { return segment.size() > 2 && segment.front() == '{'; }

std::optional<Parameters> match(std::string_view pattern, std::string_view path) {
  Parameters parameters;
  while (!pattern.empty() && !path.empty() && path.front() == '/') {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view given = take_segment(path);
    if (is_parameter(wanted) && !given.empty()) {
      parameters.emplace(wanted.substr(1, wanted.size() - 2), given);
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

bool answers(const Route& route, std::string_view method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

void allow(std::string& methods, const std::string& method) {
  if (!methods.empty()) methods += ", ";
  methods += method == "GET" ? "GET, HEAD" : method;
}

}  // namespace

void Router::add(std::string method, std::string pattern, Handler handler, std::optional<keys::Scope> scope) {
  const keys::Scope needed = scope.value_or(method == "GET" ? keys::Scope::kRead : keys::Scope::kAdmin);
  routes_.push_back({std::move(method), std::move(pattern), std::move(handler), needed});
}

keys::Scope Router::scope_of(const Request& request) const {
  for (const Route& candidate : routes_) {
    if (answers(candidate, request.method) && match(candidate.pattern, request.path)) return candidate.scope;
  }
  return keys::Scope::kRead;
}

Response Router::route(Request request) const {
  std::string allowed;
  for (const Route& candidate : routes_) {
    auto parameters = match(candidate.pattern, request.path);
    if (!parameters) continue;
    if (answers(candidate, request.method)) {
      request.path_parameters = *std::move(parameters);
      return candidate.handler(request);
    }
    allow(allowed, candidate.method);
  }
  if (allowed.empty()) return problem(404, "there is nothing at " + request.path);
  Response response = problem(405, request.method + " is not allowed here; allowed: " + allowed);
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace kleptometrics::aggregator::http
