// What handlers of statistics have in common: which runs of a job, and what is measured of them.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "aggregator/http/message.h"
#include "aggregator/http/query_parameters.h"
#include "aggregator/query/query.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::http {

// `measure` and `step`.
struct Measured {
  std::string name;  // the measure as asked for
  stats::Measure measure;
  std::string step;

  stats::Subject subject(std::string_view job) const { return {job, name, step}; }
};
Measured measured_by(QueryParameters& parameters);

// All that stats takes, of the job in the path.
struct StatsQuestion {
  query::StatsRequest request;
  Measured measured;

  stats::Subject subject() const { return measured.subject(request.filter.job); }
};
StatsQuestion stats_question(const Request& request, QueryParameters& parameters);

// `timezone`, as asked for; UTC where it is not, or is none that is known (an error, noted).
struct Zone {
  std::string name;
  absl::TimeZone zone;
};
Zone zone_of(QueryParameters& parameters);

}  // namespace kleptometrics::aggregator::http
