#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/measured.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_stats(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const StatsQuestion question = stats_question(request, parameters);
  if (const auto error = parameters.error()) return problem(*error);
  const auto stats = query.stats(question.request);
  if (!stats.ok()) return problem(stats.status());
  return answer(
      request, [&] { return stats_json(*stats, question.subject()); },
      [&] { return wire::encode_stats(*stats, question.subject()); });
}

}  // namespace kleptometrics::aggregator::http
