#include "aggregator/stats/change_points.h"

#include <algorithm>
#include <set>
#include <utility>

#include "aggregator/stats/explain.h"

namespace kleptometrics::aggregator::stats {
namespace {

using Points = std::vector<TimePoint>;

std::uint64_t runs_of(const Points& points, std::size_t begin, std::size_t end) {
  std::uint64_t runs = 0;
  for (std::size_t i = begin; i < end; ++i) runs += points[i].runs;
  return runs;
}

TimePoint together(const Points& points, std::size_t begin, std::size_t end) {
  std::vector<double> values;
  for (std::size_t i = begin; i < end; ++i) values.push_back(points[i].value);
  return {points[begin].at, median_of(std::move(values)), runs_of(points, begin, end)};
}

ChangePoint told(const Change& change, const Points& points, const Measure& measure) {
  ChangePoint out;
  out.at = points[change.at].at;
  out.since = points[change.begin].at;
  if (change.end < points.size()) out.until = points[change.end].at;
  out.earliest = points[change.at - 1].at;
  if (change.at + 1 < points.size()) out.latest = points[change.at + 1].at;
  out.median_before = change.before;
  out.median_after = change.after;
  out.ratio = ratio_of(change.after, change.before);
  out.p_value = change.p_value;
  out.runs_before = runs_of(points, change.begin, change.at);
  out.runs_after = runs_of(points, change.at, change.end);
  out.verdict = change.verdict;
  out.explanation = explain(out, measure);
  return out;
}

}  // namespace

Points grouped(const Points& points, std::size_t points_max) {
  if (points.size() <= points_max) return points;
  const std::size_t size = (points.size() + points_max - 1) / points_max;
  Points out;
  for (std::size_t begin = 0; begin < points.size(); begin += size) {
    out.push_back(together(points, begin, std::min(begin + size, points.size())));
  }
  return out;
}

ChangePoints change_points(const Points& points, const Measure& measure) {
  std::vector<double> values;
  values.reserve(points.size());
  for (const TimePoint& point : points) values.push_back(point.value);
  ChangePoints out;
  out.points = points.size();
  for (const Change& change : changes_in(values)) out.changes.push_back(told(change, points, measure));
  return out;
}

void name_builds(const std::vector<Run>& runs, std::vector<std::string>* versions,
                 std::vector<std::string>* build_ids) {
  std::set<std::string> its_versions;
  std::set<std::string> its_builds;
  for (const Run& run : runs) {
    if (!run.version.empty()) its_versions.insert(run.version);
    if (!run.build_id.empty()) its_builds.insert(run.build_id);
  }
  versions->assign(its_versions.begin(), its_versions.end());
  build_ids->assign(its_builds.begin(), its_builds.end());
}

}  // namespace kleptometrics::aggregator::stats
