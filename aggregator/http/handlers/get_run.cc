#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {

Response get_run(const Request& request, query::Query& query) {
  auto id = run_id_of(request);
  if (auto* refused = std::get_if<Response>(&id)) return std::move(*refused);
  const auto run = query.run(std::get<Uuid>(id));
  if (!run.ok()) return problem(run.status());
  Response response;
  response.body = run_json(*run);
  return response;
}

}  // namespace kleptometrics::aggregator::http
