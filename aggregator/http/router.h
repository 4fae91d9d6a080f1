// Finds the handler of a request by its path and method: a table of patterns such as
// `/api/v1/jobs/{job}/runs`, compared segment by segment (no regular expressions: their time and stack depend
// on what strangers send). Filled once at the start; after that any thread may call route().
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/http/message.h"
#include "aggregator/keys/scope.h"

namespace kleptometrics::aggregator::http {

using Handler = std::function<Response(const Request&)>;

struct Route {
  std::string method;   // upper case; GET answers HEAD too
  std::string pattern;  // literal segments and {parameters}; a parameter is one segment, never empty
  Handler handler;
  keys::Scope scope;  // that a key must have, where keys are asked for
};

class Router {
 public:
  // Requires that no route has the same method and pattern already. Where several patterns match a path, the
  // first added wins. Without a scope a GET needs `read`, everything else `admin`.
  void add(std::string method, std::string pattern, Handler handler, std::optional<keys::Scope> scope = {});

  // What a key must open for the request; where no route takes it, `read`: who has no key is not even told that.
  keys::Scope scope_of(const Request& request) const;

  // Calls the handler with `path_parameters` filled in. 404 for a path that no pattern matches (a trailing
  // slash makes it another path), 405 with `Allow` where only the method does not fit. An answer to HEAD has
  // the body of GET: the server sends its length alone.
  Response route(Request request) const;

  // In the order they were added.
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace kleptometrics::aggregator::http
