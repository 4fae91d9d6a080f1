#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {
namespace {

Response answer(const absl::Status& status) {
  if (!status.ok()) return problem(503, {status.message().data(), status.message().size()});
  Response response;
  response.body = R"({"status":"ok"})";
  return response;
}

}  // namespace

Response healthy(const Committer& committer) { return answer(committer.fatal_error()); }

Response ready(const Committer& committer, Store& store) {
  const absl::Status fatal = committer.fatal_error();
  return answer(fatal.ok() ? store.ready() : fatal);
}

}  // namespace kleptometrics::aggregator::http
