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
  const auto run = query.run(std::get<Uuid>(id));
  if (!run.ok()) return problem(run.status());
  const auto eta = query.eta(*run, clock.now().wall);
  if (!eta.ok()) return problem(eta.status());
  const auto delays = query.delays_of(run->id);
  if (!delays.ok()) return problem(delays.status());
  return answer(
      request, [&] { return run_json(*run, Steps::kWith, *eta, *delays); }, [&] { return wire::encode_run_page(*run, *eta); });
}

}  // namespace kleptometrics::aggregator::http
