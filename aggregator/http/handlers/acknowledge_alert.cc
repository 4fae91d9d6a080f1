#include <utility>
#include <vector>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {

Response acknowledge_alert(const Request& request, Committer& committer) {
  if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  const std::string& text = request.path_parameters.at("id");
  const auto id = Uuid::parse(text);
  if (!id) return problem(400, "the id of an alert is a UUID, got " + aggregator::quoted(text), "id");
  if (const auto error = refuse_members(request.body)) return problem(*error);
  std::vector<Command> commands;
  commands.emplace_back(AcknowledgeAlert{*id});
  const auto outcomes = committer.submit(std::move(commands));
  if (!outcomes.ok()) return problem(outcomes.status());
  const Outcome& outcome = outcomes->front();
  if (!outcome.alert) return problem(outcome);
  Response response;
  response.body = alert_json(*outcome.alert);
  return response;
}

}  // namespace kleptometrics::aggregator::http
