// Jobs against each other: the slowest, those that take the most time of all, those that fail or come late the most.
// Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/stats/rollup.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// Of the durations of runs that succeeded: the median, the 95th percentile, the longest, the sum (all in seconds). Of
// runs that ended: those that failed or crashed, those that started late.
enum class Rank { kMedian, kP95, kMax, kTotal, kFailures, kDelays };
// `median` and so on, as the API spells them; the way back answers nullopt for anything else.
std::string_view name_of(Rank rank);
std::optional<Rank> rank_named(std::string_view name);

struct RankedJob {
  std::string job;
  double value = 0;
  Stats stats;  // durations of runs that succeeded
};

struct Top {
  std::vector<RankedJob> jobs;  // highest value first, equal ones by name
  Rounded rounded;
};

// The durations of a job's runs, added up; borrows both.
struct JobDurations {
  const std::string* job = nullptr;
  const Rollup* durations = nullptr;
};
// At most `limit` jobs. Those without a value are left out: none of whose runs succeeded, or of counts, 0.
Top top_of(std::vector<JobDurations> jobs, Rank rank, std::size_t limit);

}  // namespace kleptometrics::aggregator::stats
