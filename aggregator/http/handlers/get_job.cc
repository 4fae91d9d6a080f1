#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/messages.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {

Response get_job(const Request& request, query::Query& query, const Clock& clock) {
  const auto job = query.job(request.path_parameters.at("job"), clock.now().wall);
  if (!job.ok()) return problem(job.status());
  return answer(
      request, [&] { return job_json(*job); }, [&] { return job_message(*job); });
}

}  // namespace kleptometrics::aggregator::http
