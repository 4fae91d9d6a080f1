#include <string>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr std::size_t kLimitDefault = 20;

}  // namespace

Response get_top(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  query::TopRequest question;
  const std::string by = parameters.text("by").value_or("median");
  if (const auto rank = stats::rank_named(by)) {
    question.rank = *rank;
  } else {
    parameters.fail("by", "by must be median, p95, max, total, failures or delays, got " + aggregator::quoted(by));
  }
  parameters.select_time(question.since, question.until);
  question.limit = parameters.limit(kLimitDefault);
  if (const auto error = parameters.error()) return problem(*error);
  const auto top = query.top(question);
  if (!top.ok()) return problem(top.status());
  return answer(
      request, [&] { return top_json(*top, by); }, [&] { return wire::encode_top(*top, by); });
}

}  // namespace kleptometrics::aggregator::http
