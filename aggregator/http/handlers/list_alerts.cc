#include <string>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/page_token.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response list_alerts(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const AlertFilter filter =
      parameters.findings<AlertKind>(alert_kind_of, "failed, crashed, late_start, missed, overrun, too_short, slower");
  const auto after = parameters.finding_cursor(FindingList::kAlerts);
  const std::size_t limit = parameters.limit();
  if (const auto error = parameters.error()) return problem(*error);
  const auto page = query.alerts(filter, after, limit);
  if (!page.ok()) return problem(page.status());
  const std::string next = page->next ? page_token(*page->next, FindingList::kAlerts) : std::string();
  return answer(
      request, [&] { return alerts_json(page->items, next); }, [&] { return wire::encode_alerts(page->items, next); });
}

}  // namespace kleptometrics::aggregator::http
