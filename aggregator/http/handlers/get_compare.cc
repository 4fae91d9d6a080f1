#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/measured.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_compare(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  query::CompareRequest question;
  question.filter.job = request.path_parameters.at("job");
  parameters.select_runs(question.filter);
  question.baseline_since = parameters.instant("baseline_since");
  question.baseline_until = parameters.instant("baseline_until");
  question.baseline_version = parameters.text("baseline_version").value_or("");
  question.baseline_build_id = parameters.text("baseline_build_id").value_or("");
  const Measured measured = measured_by(parameters);
  question.measure = measured.measure;
  question.step = measured.step;
  if (const auto error = parameters.error()) return problem(*error);
  if (const auto error = query::overlap(question)) return problem(*error);
  const auto comparison = query.compare(question);
  if (!comparison.ok()) return problem(comparison.status());
  const stats::Subject subject = measured.subject(question.filter.job);
  return answer(
      request, [&] { return comparison_json(*comparison, subject); },
      [&] { return wire::encode_comparison(*comparison, subject); });
}

}  // namespace kleptometrics::aggregator::http
