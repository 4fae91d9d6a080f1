#include <string>
#include <utility>

#include "aggregator/http/handlers/handlers.h"
#include "aggregator/http/handlers/measured.h"
#include "aggregator/http/json.h"
#include "aggregator/http/media_type.h"
#include "aggregator/http/problem.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/model/utf8.h"
#include "aggregator/wire/answers.h"

namespace kleptometrics::aggregator::http {
namespace {

// `bucket` and `timezone`, as asked for.
struct Buckets {
  std::string unit, zone;
  query::Calendar calendar;
};

Buckets buckets_of(QueryParameters& parameters) {
  Buckets out;
  out.unit = parameters.text("bucket").value_or("day");
  const auto unit = query::unit_of(out.unit);
  if (!unit) parameters.fail("bucket", "bucket must be hour, day, week or month, got " + aggregator::quoted(out.unit));
  Zone zone = zone_of(parameters);
  out.zone = std::move(zone.name);
  if (unit) out.calendar = query::Calendar(zone.zone, *unit);
  return out;
}

}  // namespace

Response get_history(const Request& request, query::Query& query, const Clock& clock) {
  QueryParameters parameters(request, clock.now().wall);
  const StatsQuestion question = stats_question(request, parameters);
  const Buckets buckets = buckets_of(parameters);
  const std::uint64_t min_count = parameters.count("min_count", 1);
  if (const auto error = parameters.error()) return problem(*error);
  const auto history = query.history({question.request, buckets.calendar, min_count});
  if (!history.ok()) return problem(history.status());
  return answer(
      request, [&] { return history_json(*history, question.subject(), buckets.unit, buckets.zone); },
      [&] { return wire::encode_history(*history, question.subject()); });
}

}  // namespace kleptometrics::aggregator::http
