#include <string>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/page_token.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {
namespace {

struct Question {
  RunFilter filter;
  std::optional<RunCursor> after;
  std::size_t limit = 0;
};

void read_job(const Request& request, QueryParameters& parameters, RunFilter& filter) {
  const auto asked = parameters.text("job");
  const auto path = request.path_parameters.find("job");
  if (path == request.path_parameters.end()) {
    filter.job = asked.value_or("");
    return;
  }
  filter.job = path->second;
  if (asked && *asked != filter.job) {
    parameters.fail("job",
                    "job is " + aggregator::quoted(*asked) + ", but the path says " + aggregator::quoted(filter.job));
  }
}

Question question_of(const Request& request, QueryParameters& parameters) {
  Question question;
  read_job(request, parameters, question.filter);
  question.filter.states = parameters.states("state").value_or(std::vector<State>());
  parameters.select_runs(question.filter);
  question.after = parameters.run_cursor();
  question.limit = parameters.limit();
  return question;
}

Response export_runs(query::Query& query, const RunFilter& filter) {
  Response response;
  response.content_type = kNdjson;
  std::optional<RunCursor> after;
  do {
    const auto page = query.runs(filter, after, QueryParameters::limit_max);
    if (!page.ok()) return problem(page.status());
    for (const Run& run : page->runs) response.body += run_json(run) + "\n";
    after = page->next;
  } while (after);
  return response;
}

}  // namespace

Response list_runs(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const Question question = question_of(request, parameters);
  if (const auto error = parameters.error()) return problem(*error);
  if (asks_for(request, kNdjson) && !asks_for(request, kProtobuf)) return export_runs(query, question.filter);
  const auto page = query.runs(question.filter, question.after, question.limit);
  if (!page.ok()) return problem(page.status());
  const std::string next = page->next ? page_token(*page->next) : std::string();
  const auto etas = query.etas(page->runs, clock.now().wall);
  if (!etas.ok()) return problem(etas.status());
  return answer(
      request, [&] { return runs_json(page->runs, *etas, next); },
      [&] { return wire::encode_runs(page->runs, next, *etas); });
}

}  // namespace kleptometrics::aggregator::http
