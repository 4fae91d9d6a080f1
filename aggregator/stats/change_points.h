// The history of a job as points in time, and the changes of its level (changes.h) as people and programs are told
// them: when, from what to what, and between which builds. Pure: no I/O, no clock; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "aggregator/stats/changes.h"
#include "aggregator/stats/stats.h"

namespace kleptometrics::aggregator::stats {

// A run, or the median of several that followed each other.
struct TimePoint {
  Nanos at = 0;  // started_at of the first
  double value = 0;
  std::uint64_t runs = 1;
};

// In order of time. Longer series are put together: the medians of groups of as many neighbours each, but for the last.
std::vector<TimePoint> grouped(const std::vector<TimePoint>& points, std::size_t points_max);

struct ChangePoint {
  Nanos at = 0;                // started_at of the first run at the new level
  Nanos since = 0;             // of the first at the level before
  std::optional<Nanos> until;  // of the first at the level after the next change, if there is one
  // Starts of the points before and behind `at`: where these are of several runs, the change is known to lie between.
  Nanos earliest = 0;
  std::optional<Nanos> latest;
  double median_before = 0, median_after = 0;  // of the points from change to change
  std::optional<double> ratio;                 // after / before
  double p_value = 1;                          // see Change
  std::uint64_t runs_before = 0, runs_after = 0;
  // Of the last runs before and the first after: sorted, each once.
  std::vector<std::string> versions_before, versions_after, build_ids_before, build_ids_after;
  Verdict verdict = Verdict::kUnchanged;
  std::string explanation;
};

struct ChangePoints {
  std::uint64_t points = 0;          // that were looked at
  std::vector<ChangePoint> changes;  // in order of time
};

// Of at most about kPointsMax points, in order of time. Versions and builds are left to name.
ChangePoints change_points(const std::vector<TimePoint>& points, const Measure& measure);

// The versions and builds of these runs into lists such as those above.
void name_builds(const std::vector<Run>& runs, std::vector<std::string>* versions, std::vector<std::string>* build_ids);

}  // namespace kleptometrics::aggregator::stats
