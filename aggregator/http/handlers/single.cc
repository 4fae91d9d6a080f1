#include "aggregator/http/handlers/single.h"

#include <utility>
#include <vector>

#include "aggregator/http/json.h"
#include "aggregator/http/problem.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {

std::variant<Uuid, Response> run_id_of(const Request& request) {
  const std::string& text = request.path_parameters.at("id");
  if (const auto id = Uuid::parse(text)) return *id;
  return problem(400, "the id of a run is a UUID, got " + aggregator::quoted(text), "id");
}

std::optional<Response> refuse_job_name(const std::string& job) {
  if (valid_job_name(job)) return std::nullopt;
  return problem(400, aggregator::quoted(job) + " is no job name: they match [A-Za-z0-9][A-Za-z0-9._:-]{0,199}", "job");
}

Response submit_one(Committer& committer, Command command) {
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  auto outcomes = committer.submit(std::move(commands));
  if (!outcomes.ok()) return problem(outcomes.status());
  const Outcome& outcome = outcomes->front();
  const bool taken = outcome.kind == Outcome::Kind::kAccepted || outcome.kind == Outcome::Kind::kDuplicate;
  if (!taken) return problem(outcome);
  if (!outcome.run) return problem(500, "the run was stored, but is not at hand");
  Response response;
  response.body = run_json(*outcome.run);
  if (outcome.created) {
    response.status = 201;
    response.headers.emplace_back("Location", "/api/v1/runs/" + outcome.run->id.text());
  }
  return response;
}

}  // namespace kleptometrics::aggregator::http
