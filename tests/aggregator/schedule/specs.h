// Specifications as the tests of schedules like to write them.
#pragma once

#include <string>

#include "aggregator/schedule/schedule.h"
#include "tests/aggregator/query/instants.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::schedule {

using query::at;

inline JobSpec spec_of(const std::string& cron, const std::string& zone = {}) {
  JobSpec spec;
  spec.cron = cron;
  spec.timezone = zone;
  return spec;
}

inline Schedule read(const JobSpec& spec) {
  const auto schedule = Schedule::of(spec);
  INFO(schedule.status().ToString());
  REQUIRE(schedule.ok());
  return *schedule;
}

inline std::string text_of(std::optional<Nanos> instant) { return instant ? instant_text(*instant) : "never"; }

}  // namespace kleptometrics::aggregator::schedule
