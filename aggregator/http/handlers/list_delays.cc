#include <string>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/page_token.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response list_delays(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const DelayFilter filter = parameters.findings<DelayKind>(delay_kind_of, "late_start, missed, overrun");
  const auto after = parameters.finding_cursor(FindingList::kDelays);
  const std::size_t limit = parameters.limit();
  if (const auto error = parameters.error()) return problem(*error);
  const auto page = query.delays(filter, after, limit);
  if (!page.ok()) return problem(page.status());
  const std::string next = page->next ? page_token(*page->next, FindingList::kDelays) : std::string();
  return answer(
      request, [&] { return delays_json(page->items, next); }, [&] { return wire::encode_delays(page->items, next); });
}

}  // namespace kleptometrics::aggregator::http
