#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/measured.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {

Response get_profile(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const StatsQuestion question = stats_question(request, parameters);
  const Zone zone = zone_of(parameters);
  const std::uint64_t min_count = parameters.count("min_count", 1);
  if (const auto error = parameters.error()) return problem(*error);
  const auto profile = query.profile({question.request, zone.zone, min_count});
  if (!profile.ok()) return problem(profile.status());
  return answer(
      request, [&] { return profile_json(*profile, question.subject(), zone.name); },
      [&] { return wire::encode_profile(*profile, question.subject()); });
}

}  // namespace kleptometrics::aggregator::http
