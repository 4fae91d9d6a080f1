// What happened to one job in a simulated year, all of it, made by a seed: its specification, when it was expected, its
// runs, when it was paused, and when nobody watched. Occurrences and windows are counted on the calendar here, day by
// day, not asked of a schedule.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "aggregator/model/job.h"
#include "aggregator/rules/facts.h"
#include "aggregator/rules/limits.h"

namespace kleptometrics::fakes {

struct Period {
  Nanos since = 0;
  Nanos until = 0;
  bool holds(Nanos at) const { return since <= at && at < until; }
};

struct Pause {
  Nanos at = 0;
  Nanos until = 0;
  std::optional<Nanos> resumed_at{};  // before `until`
};

struct Story {
  std::string job;
  aggregator::JobSpec spec;
  std::optional<aggregator::rules::Limits> limits{};
  Nanos since = 0;
  Nanos until = 0;
  std::vector<Nanos> occurrences{};                 // from days before `since` to days after `until`
  std::vector<Period> windows{};                    // of maintenance, each time
  std::optional<Pause> pause{};                     // while somebody watches, as its end is
  std::vector<aggregator::rules::RunFacts> runs{};  // by start; kRunning: until after the year
};

// The year from 2026-01-01T00:00:00Z on.
inline constexpr Nanos kYearBegin = 1'767'225'600 * kNanosPerSecond;
inline constexpr Nanos kYearEnd = kYearBegin + 365 * 24 * 3600 * kNanosPerSecond;

// When the aggregator is down: for minutes, hours and days.
std::vector<Period> make_downtimes(std::mt19937_64& random);
Story make_story(std::mt19937_64& random, std::uint32_t number, const std::vector<Period>& downtimes);

}  // namespace kleptometrics::fakes
