#include <algorithm>
#include <variant>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/schedule/schedule.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::http {
namespace {

constexpr Nanos kSinceDefault = 90 * stats::kDay;
// A schedule of every minute that nothing keeps has as many gaps as minutes.
constexpr Nanos kLengthMax = 400 * stats::kDay;

}  // namespace

Response backtest_job(const Request& request, query::Query& query, const Clock& clock) {
  if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  query::BacktestRequest question;
  question.job = request.path_parameters.at("job");
  if (auto refused = refuse_job_name(question.job)) return *std::move(refused);
  const Nanos now = clock.now().wall;
  QueryParameters parameters(request, now);
  question.until = std::min(parameters.instant("until").value_or(now), now);
  question.since = parameters.instant("since").value_or(question.until - kSinceDefault);
  if (const auto error = parameters.error()) return problem(*error);
  if (question.since >= question.until) return problem(FieldError{"since", "since is not before until, or now"});
  if (question.until - question.since > kLengthMax)
    return problem(FieldError{"since", "since is more than 400 days before until"});
  auto parsed = parse_job(request.body, question.job);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return problem(*error);
  question.spec = std::get<JobSpec>(std::move(parsed));
  if (const auto error = validate(question.spec)) return problem(*error);
  if (const auto error = schedule::unreadable(question.spec)) return problem(*error);
  const auto tested = query.backtest(question);
  if (!tested.ok()) return problem(tested.status());
  Response response;
  response.body = backtest_json(*tested);
  return response;
}

}  // namespace kleptometrics::aggregator::http
