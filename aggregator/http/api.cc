#include "aggregator/http/api.h"

#include <exception>
#include <string>
#include <utility>

#include "aggregator/base/log.h"
#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator::http {
namespace {

using keys::Scope;

constexpr std::string_view kChallenge = "Bearer realm=\"kleptometrics\"";

// A handler that knows no query parameter.
Handler plain(Handler handler) {
  return [handler = std::move(handler)](const Request& request) {
    if (const auto error = QueryParameters(request, 0).error()) return problem(*error);
    return handler(request);
  };
}

// A problem as the message that a reader of messages expects.
Response in_form(const Request& request, Response response) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!response.problem || !reads || !asks_for(request, kProtobuf)) return response;
  const Problem& problem = *response.problem;
  response.content_type = kProtobuf;
  response.body = wire::encode_problem(problem.status, problem.title, problem.detail, problem.field);
  return response;
}

}  // namespace

Api::Api(Committer& committer, query::Query& query, Store& store, const Clock& clock, ServiceCounters others,
         Heard heard)
    : series_(store), others_(std::move(others)) {
  router_.add("POST", "/api/v1/runs", plain([&committer, heard = std::move(heard)](const Request& r) {
                return push_runs(r, committer, heard);
              }),
              Scope::kWrite);
  router_.add("GET", "/api/v1/runs", [&](const Request& r) { return list_runs(r, query, clock); });
  router_.add("GET", "/api/v1/runs/{id}", plain([&](const Request& r) { return get_run(r, query, clock); }));
  router_.add("PATCH", "/api/v1/runs/{id}", plain([&](const Request& r) { return patch_run(r, committer); }),
              Scope::kWrite);
  router_.add("GET", "/api/v1/jobs", [&](const Request& r) { return list_jobs(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}", plain([&](const Request& r) { return get_job(r, query, clock); }));
  router_.add("PUT", "/api/v1/jobs/{job}", plain([&](const Request& r) { return put_job(r, committer, query, clock); }),
              Scope::kAdmin);
  router_.add("POST", "/api/v1/jobs/{job}/pause",
              plain([&](const Request& r) { return pause_job(r, committer, query, clock); }), Scope::kAdmin);
  router_.add("POST", "/api/v1/jobs/{job}/resume",
              plain([&](const Request& r) { return resume_job(r, committer, query, clock); }), Scope::kAdmin);
  router_.add("POST", "/api/v1/jobs/{job}/runs", plain([&](const Request& r) { return report_run(r, committer); }),
              Scope::kWrite);
  router_.add("GET", "/api/v1/jobs/{job}/runs", [&](const Request& r) { return list_runs(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}/stats", [&](const Request& r) { return get_stats(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}/history", [&](const Request& r) { return get_history(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}/profile", [&](const Request& r) { return get_profile(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}/compare", [&](const Request& r) { return get_compare(r, query, clock); });
  router_.add("GET", "/api/v1/jobs/{job}/changes", [&](const Request& r) { return get_changes(r, query, clock); });
  router_.add("GET", "/api/v1/runs/{id}/compare", [&](const Request& r) { return get_run_compare(r, query); });
  router_.add("GET", "/api/v1/top", [&](const Request& r) { return get_top(r, query, clock); });
  router_.add(
      "POST", "/api/v1/jobs/{job}/backtest", [&](const Request& r) { return backtest_job(r, query, clock); },
      Scope::kRead);
  router_.add("GET", "/api/v1/delays", [&](const Request& r) { return list_delays(r, query, clock); });
  router_.add("GET", "/api/v1/alerts", [&](const Request& r) { return list_alerts(r, query, clock); });
  router_.add("POST", "/api/v1/alerts/{id}/acknowledge",
              plain([&](const Request& r) { return acknowledge_alert(r, committer); }), Scope::kWrite);
  router_.add("GET", "/api/v1/openapi.json", plain([](const Request&) { return get_openapi(); }), Scope::kNone);
  router_.add("GET", "/metrics",
              plain([&](const Request&) { return get_metrics(series_, committer, store, clock, others_); }));
  router_.add("GET", "/-/healthy", plain([&](const Request&) { return healthy(committer); }), Scope::kNone);
  router_.add("GET", "/-/ready", plain([&](const Request&) { return ready(committer, store); }), Scope::kNone);
}

std::optional<Denial> Api::authorize(const Request& request, std::optional<std::string_view> authorization,
                                     const keys::KeyRing& keys) const {
  const Scope wanted = router_.scope_of(request);
  const std::string challenge(kChallenge);
  switch (keys.judge(authorization, wanted)) {
    case keys::Verdict::kGranted:
      return std::nullopt;
    case keys::Verdict::kMissing:
      return Denial{401, "an API key is needed here; send it as `Authorization: Bearer KEY`", challenge};
    case keys::Verdict::kUnknown:
      return Denial{401, "this is no API key that is known here", challenge + ", error=\"invalid_token\""};
    case keys::Verdict::kForbidden:
      break;
  }
  const std::string scope(name_of(wanted));
  return Denial{403, "this needs a key of scope " + scope,
                challenge + ", error=\"insufficient_scope\", scope=\"" + scope + "\""};
}

Response Api::handle(const Request& request) const try {
  if (request.body.size() > limits::body_bytes_max) {
    return problem(413, "the body has more than " + std::to_string(limits::body_bytes_max) + " bytes");
  }
  return in_form(request, router_.route(request));
} catch (const std::exception& error) {
  log_error(request.method + " " + request.path + " failed: " + error.what());
  return in_form(request, problem(500, "an error of the server; its log says more"));
}

}  // namespace kleptometrics::aggregator::http
