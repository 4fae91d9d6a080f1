#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {
namespace {

Response commit(PauseJob pause, Committer& committer, query::Query& query, Nanos now) {
  const std::string job = pause.name;
  std::vector<Command> commands;
  commands.emplace_back(std::move(pause));
  const auto outcomes = committer.submit(std::move(commands));
  if (!outcomes.ok()) return problem(outcomes.status());
  if (outcomes->front().kind != Outcome::Kind::kAccepted) return problem(outcomes->front());
  const auto view = query.job(job, now);
  if (!view.ok()) return problem(view.status());
  Response response;
  response.body = job_json(*view);
  return response;
}

}  // namespace

Response pause_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock) {
  if (!request.body.empty()) {
    if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  }
  const Nanos now = clock.now().wall;
  const auto until = parse_pause(request.body);
  if (const auto* error = std::get_if<FieldError>(&until)) return problem(*error);
  if (std::get<Nanos>(until) <= now) return problem(400, "until is not in the future", "until");
  const Nanos at = std::min(std::get<Nanos>(until), kNanosEnd);
  return commit({request.path_parameters.at("job"), at}, committer, query, now);
}

Response resume_job(const Request& request, Committer& committer, query::Query& query, const Clock& clock) {
  if (!request.body.empty()) return problem(400, "a job is resumed without a body");
  return commit({request.path_parameters.at("job"), std::nullopt}, committer, query, clock.now().wall);
}

}  // namespace kleptometrics::aggregator::http
