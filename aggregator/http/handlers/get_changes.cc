#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/measured.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_changes(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  query::ChangesRequest question;
  question.filter.job = request.path_parameters.at("job");
  parameters.select_runs(question.filter);
  const Measured measured = measured_by(parameters);
  question.measure = measured.measure;
  question.step = measured.step;
  if (const auto error = parameters.error()) return problem(*error);
  const auto found = query.changes(question);
  if (!found.ok()) return problem(found.status());
  const stats::Subject subject = measured.subject(question.filter.job);
  return answer(
      request, [&] { return changes_json(*found, subject); }, [&] { return wire::encode_changes(*found, subject); });
}

}  // namespace kleptometrics::aggregator::http
