#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_run(const Request& request, query::Query& query, const Clock& clock) {
  auto id = run_id_of(request);
  if (auto* refused = std::get_if<Response>(&id)) return std::move(*refused);
  const auto found = query.run_and_delays(std::get<Uuid>(id));
  if (!found.ok()) return problem(found.status());
  const Run& run = *found->run;
  const auto eta = query.eta(run, clock.now().wall);
  if (!eta.ok()) return problem(eta.status());
  return answer(
      request, [&] { return run_json(run, Steps::kWith, *eta, found->delays); },
      [&] { return wire::encode_run_page(run, *eta); });
}

}  // namespace kleptometrics::aggregator::http
