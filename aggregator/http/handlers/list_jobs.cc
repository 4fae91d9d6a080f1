#include <string>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/messages.h"
#include "aggregator/http/page_token.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {
namespace {

void read_status(QueryParameters& parameters, query::JobsRequest& request) {
  const auto name = parameters.text("status");
  if (!name) return;
  request.status = query::job_status_of(*name);
  if (request.status) return;
  parameters.fail("status", "status must be one of paused, overrunning, late, failing, running, ok, new; got " +
                                aggregator::quoted(*name));
}

void read_sort(QueryParameters& parameters, query::JobsRequest& request) {
  const auto name = parameters.text("sort");
  if (!name || *name == "name") return;
  if (*name != "last_run") parameters.fail("sort", "sort must be name or last_run, got " + aggregator::quoted(*name));
  request.sort = query::JobsRequest::Sort::kLastRun;
}

query::JobsRequest request_of(QueryParameters& parameters) {
  query::JobsRequest request;
  request.search = parameters.text("search").value_or("");
  read_status(parameters, request);
  read_sort(parameters, request);
  request.tag = parameters.text("tag").value_or("");
  request.limit = parameters.limit();
  request.after = parameters.job_cursor().value_or("");
  return request;
}

}  // namespace

Response list_jobs(const Request& request, query::Query& query, const Clock& clock) {
  const Nanos now = clock.now().wall;
  QueryParameters parameters(request, now);
  query::JobsRequest question = request_of(parameters);
  question.now = now;
  if (const auto error = parameters.error()) return problem(*error);
  const auto page = query.jobs(question);
  if (!page.ok()) return problem(page.status());
  const bool more = page->more && !page->jobs.empty();
  const std::string next = more ? page_token(page->jobs.back().name) : std::string();
  return answer(
      request, [&] { return jobs_json(page->jobs, next); }, [&] { return jobs_message(page->jobs, next); });
}

}  // namespace kleptometrics::aggregator::http
