// All jobs against each other, from the rollups of one view.
#include <utility>
#include <vector>

#include "aggregator/query/add_up.h"
#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {

absl::StatusOr<stats::Top> Query::top(const TopRequest& request) {
  Cut cut;
  cut.since = request.since;
  cut.until = request.until;
  PlaceOfJob places;
  const auto plan = add_up(store_, {}, {}, cut, places);
  if (!plan.ok()) return plan.status();
  std::vector<stats::JobDurations> jobs;
  jobs.reserve(places.sums().size());
  for (const auto& [job, durations] : places.sums()) jobs.push_back({&job, &durations});
  stats::Top top = stats::top_of(std::move(jobs), request.rank, request.limit);
  top.rounded = rounded_of(*plan, request.since, request.until);
  return top;
}

}  // namespace kleptometrics::aggregator::query
