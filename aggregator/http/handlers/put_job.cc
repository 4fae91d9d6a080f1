#include <string>
#include <utility>
#include <vector>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/schedule/schedule.h"

namespace kleptometrics::aggregator::http {

Response put_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock) {
  if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  const std::string& job = request.path_parameters.at("job");
  if (auto refused = refuse_job_name(job)) return *std::move(refused);
  auto parsed = parse_job(request.body, job);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return problem(*error);
  auto& spec = std::get<JobSpec>(parsed);
  if (const auto error = validate(spec)) return problem(*error);
  if (const auto error = schedule::unreadable(spec)) return problem(*error);
  std::vector<Command> commands;
  commands.emplace_back(PutJob{job, std::move(spec)});
  const auto outcomes = committer.submit(std::move(commands));
  if (!outcomes.ok()) return problem(outcomes.status());
  const Outcome& outcome = outcomes->front();
  if (outcome.kind != Outcome::Kind::kAccepted) return problem(outcome);
  const auto view = query.job(job, clock.now().wall);
  if (!view.ok()) return problem(view.status());
  Response response;
  response.body = job_json(*view);
  if (outcome.created) {
    response.status = 201;
    response.headers.emplace_back("Location", "/api/v1/jobs/" + job);
  }
  return response;
}

}  // namespace kleptometrics::aggregator::http
