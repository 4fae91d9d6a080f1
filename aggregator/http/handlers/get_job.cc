#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {

Response get_job(const Request& request, query::Query& query) {
  const auto job = query.job(request.path_parameters.at("job"));
  if (!job.ok()) return problem(job.status());
  Response response;
  response.body = job_json(*job);
  return response;
}

}  // namespace kleptometrics::aggregator::http
