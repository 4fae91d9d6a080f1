#include "aggregator/http/handlers/measured.h"

#include <algorithm>
#include <utility>

#include "aggregator/model/utf8.h"

namespace kleptometrics::aggregator::http {

Measured measured_by(QueryParameters& parameters) {
  Measured out;
  out.name = parameters.text("measure").value_or("duration");
  if (auto measure = stats::Measure::parse(out.name)) {
    out.measure = *std::move(measure);
  } else {
    parameters.fail("measure",
                    "measure must be duration, start_delay, cpu, max_rss_bytes, counter:NAME or "
                    "seconds_per:NAME, got " +
                        aggregator::quoted(out.name));
  }
  out.step = parameters.text("step").value_or("");
  if (!out.step.empty() && out.measure.kind != stats::Measure::Kind::kDuration) {
    parameters.fail("step", "steps are measured by duration alone");
  }
  return out;
}

StatsQuestion stats_question(const Request& request, QueryParameters& parameters) {
  StatsQuestion question;
  question.request.filter.job = request.path_parameters.at("job");
  parameters.select_runs(question.request.filter);
  question.measured = measured_by(parameters);
  question.request.measure = question.measured.measure;
  question.request.step = question.measured.step;
  if (auto outcomes = parameters.states("outcome", true)) question.request.outcomes = *std::move(outcomes);
  return question;
}

Zone zone_of(QueryParameters& parameters) {
  Zone out;
  out.name = parameters.text("timezone").value_or("UTC");
  std::replace(out.name.begin(), out.name.end(), ' ', '+');  // the '+' of `Etc/GMT+1`, written plainly
  const auto zone = query::find_time_zone(out.name);
  if (!zone) {
    parameters.fail("timezone", "timezone must be an IANA name such as Europe/Berlin, and " +
                                    aggregator::quoted(out.name) + " is none that is known here");
  }
  out.zone = zone.value_or(absl::UTCTimeZone());
  return out;
}

}  // namespace kleptometrics::aggregator::http
