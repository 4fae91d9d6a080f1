#include "aggregator/http/problem.h"

#include <string>

#include "aggregator/http/json.h"

namespace kleptometrics::aggregator::http {
namespace {

// The reason phrases of RFC 9110, which `about:blank` asks for as titles.
std::string_view title_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

int status_of(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 413;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:
      return 500;
  }
}

int status_of(const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::kDeferred) return 503;
  switch (outcome.why) {
    case Outcome::Why::kNotFound:
      return 404;
    case Outcome::Why::kConflict:
      return 409;
    default:
      return 400;
  }
}

}  // namespace

Response problem(int status, std::string_view detail, std::string_view field) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.problem = Problem{status, std::string(title_of(status)), std::string(detail), std::string(field)};
  response.body = problem_json(status, title_of(status), detail, field);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response problem(const FieldError& error) { return problem(400, error.detail, error.field); }

Response problem(const absl::Status& status) {
  return problem(status_of(status.code()), {status.message().data(), status.message().size()});
}

Response problem(const Outcome& outcome) { return problem(status_of(outcome), outcome.detail, outcome.field); }

}  // namespace kleptometrics::aggregator::http
