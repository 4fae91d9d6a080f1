#include <string>
#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {

Response report_run(const Request& request, Committer& committer) {
  if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  const std::string& job = request.path_parameters.at("job");
  if (auto refused = refuse_job_name(job)) return *std::move(refused);
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto parsed = parse_run(empty ? "{}" : request.body);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return problem(*error);
  auto& report = std::get<ReportRun>(parsed);
  if (!report.run.job.empty() && report.run.job != job) {
    return problem(
        400, "job is " + aggregator::quoted(report.run.job) + ", but the path says " + aggregator::quoted(job), "job");
  }
  report.run.job = job;
  return submit_one(committer, std::move(report));
}

}  // namespace kleptometrics::aggregator::http
