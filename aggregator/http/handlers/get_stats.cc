#include <string>
#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

stats::Measure measure_of(QueryParameters& parameters, const std::string& text) {
  if (auto measure = stats::Measure::parse(text)) return *std::move(measure);
  parameters.fail("measure",
                  "measure must be duration, start_delay, cpu, max_rss_bytes, counter:NAME or "
                  "seconds_per:NAME, got " +
                      aggregator::quoted(text));
  return {};
}

}  // namespace

Response get_stats(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  query::StatsRequest question;
  question.filter.job = request.path_parameters.at("job");
  parameters.select_runs(question.filter);
  const std::string measure = parameters.text("measure").value_or("duration");
  question.measure = measure_of(parameters, measure);
  question.step = parameters.text("step").value_or("");
  if (!question.step.empty() && question.measure.kind != stats::Measure::Kind::kDuration) {
    parameters.fail("step", "steps are measured by duration alone");
  }
  if (auto outcomes = parameters.states("outcome", true)) question.outcomes = *std::move(outcomes);
  if (const auto error = parameters.error()) return problem(*error);
  const auto stats = query.stats(question);
  if (!stats.ok()) return problem(stats.status());
  Response response;
  response.body = stats_json(*stats, question.filter.job, measure, question.step);
  return response;
}

}  // namespace kleptometrics::aggregator::http
