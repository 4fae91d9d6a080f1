#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/single.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"

namespace kleptometrics::aggregator::http {

Response patch_run(const Request& request, Committer& committer) {
  if (auto refused = refuse_content(request, {kJson})) return *std::move(refused);
  auto id = run_id_of(request);
  if (auto* refused = std::get_if<Response>(&id)) return std::move(*refused);
  auto parsed = parse_patch(request.body);
  if (const auto* error = std::get_if<FieldError>(&parsed)) return problem(*error);
  auto& patch = std::get<PatchRun>(parsed);
  patch.id = std::get<Uuid>(id);
  return submit_one(committer, std::move(patch));
}

}  // namespace kleptometrics::aggregator::http
