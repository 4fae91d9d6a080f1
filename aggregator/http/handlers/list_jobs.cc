#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

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

// Statuses that come with alerts: known words, though no job has them yet.
constexpr std::array<std::string_view, 2> kStatusesToCome = {"overrunning", "late"};

struct Question {
  query::JobsRequest request;
  bool selects_none = false;
};

void read_status(QueryParameters& parameters, Question& question) {
  const auto name = parameters.text("status");
  if (!name) return;
  question.request.status = query::job_status_of(*name);
  if (question.request.status) return;
  if (std::find(kStatusesToCome.begin(), kStatusesToCome.end(), *name) != kStatusesToCome.end()) {
    question.selects_none = true;
    return;
  }
  parameters.fail("status", "status must be one of paused, overrunning, late, failing, running, ok, new; got " +
                                aggregator::quoted(*name));
}

void read_sort(QueryParameters& parameters, Question& question) {
  const auto name = parameters.text("sort");
  if (!name || *name == "name") return;
  if (*name != "last_run") parameters.fail("sort", "sort must be name or last_run, got " + aggregator::quoted(*name));
  question.request.sort = query::JobsRequest::Sort::kLastRun;
}

Question question_of(QueryParameters& parameters) {
  Question question;
  question.request.search = parameters.text("search").value_or("");
  read_status(parameters, question);
  read_sort(parameters, question);
  question.request.tag = parameters.text("tag").value_or("");
  question.request.limit = parameters.limit();
  question.request.after = parameters.job_cursor().value_or("");
  return question;
}

}  // namespace

Response list_jobs(const Request& request, query::Query& query, const Clock& clock) {
  const Nanos now = clock.now().wall;
  QueryParameters parameters(request, now);
  Question question = question_of(parameters);
  question.request.now = now;
  if (const auto error = parameters.error()) return problem(*error);
  query::JobsPage page;
  if (!question.selects_none) {
    auto found = query.jobs(question.request);
    if (!found.ok()) return problem(found.status());
    page = *std::move(found);
  }
  const bool more = page.more && !page.jobs.empty();
  const std::string next = more ? page_token(page.jobs.back().name) : std::string();
  return answer(
      request, [&] { return jobs_json(page.jobs, next); }, [&] { return jobs_message(page.jobs, next); });
}

}  // namespace kleptometrics::aggregator::http
