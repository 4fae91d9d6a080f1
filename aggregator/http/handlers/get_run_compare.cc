#include <optional>
#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_run_compare(const Request& request, query::Query& query) {
  auto id = run_id_of(request);
  if (auto* refused = std::get_if<Response>(&id)) return std::move(*refused);
  QueryParameters parameters(request, 0);
  std::optional<Uuid> to;
  if (const auto text = parameters.text("to")) {
    to = Uuid::parse(*text);
    if (!to) parameters.fail("to", "the id of a run is a UUID, got " + aggregator::quoted(*text));
  }
  if (const auto error = parameters.error()) return problem(*error);
  const auto comparison = query.run_compare(std::get<Uuid>(id), to);
  if (absl::IsInvalidArgument(comparison.status())) {
    const auto why = comparison.status().message();
    return problem(400, {why.data(), why.size()}, "to");
  }
  if (!comparison.ok()) return problem(comparison.status());
  return answer(
      request, [&] { return run_comparison_json(*comparison); },
      [&] { return wire::encode_run_comparison(*comparison); });
}

}  // namespace kleptometrics::aggregator::http
