// The change points of a job: its history as a series of points, and the builds on both sides of what is found in it.
#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "aggregator/query/add_up.h"
#include "aggregator/query/parts.h"
#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {
namespace {

using stats::Resolution;
using stats::TimePoint;

// As many runs on either side of a change say which builds are there.
constexpr std::size_t kBuildRuns = 10;
// A change is looked at more closely among so many runs.
constexpr std::size_t kCloserRunsMax = 4 * stats::kPointsMax;
// From as many days on, days are points enough.
constexpr std::size_t kDaysMin = stats::kPointsMax / 2;

const std::vector<State> kSuccess = {State::kSucceeded};

class PlaceOfResolution final : public Places {
 public:
  explicit PlaceOfResolution(Resolution resolution) : resolution_(resolution) {}
  void clear() override { sums_.clear(); }
  stats::Rollup* of(const std::string&, Nanos at) override { return &sums_[stats::start_of(at, resolution_)]; }

  std::uint64_t succeeded() const {
    std::uint64_t runs = 0;
    for (const auto& [start, rollup] : sums_) runs += rollup.of(State::kSucceeded).runs;
    return runs;
  }
  const std::map<Nanos, stats::Rollup>& sums() const { return sums_; }

  // Neighbours put together where there are more than kPointsMax.
  std::vector<TimePoint> points() const {
    const std::size_t size = std::max<std::size_t>(1, (sums_.size() + stats::kPointsMax - 1) / stats::kPointsMax);
    std::vector<TimePoint> out;
    for (auto next = sums_.begin(); next != sums_.end();) {
      const Nanos start = next->first;
      stats::Rollup group;
      for (std::size_t i = 0; i < size && next != sums_.end(); ++i, ++next) group.merge(next->second);
      const stats::Stats stats = stats::stats_of(group, kSuccess);
      if (stats.median) out.push_back({start, *stats.median, stats.count});
    }
    return out;
  }

 private:
  Resolution resolution_;
  std::map<Nanos, stats::Rollup> sums_;
};

class ChangesQuestion {
 public:
  ChangesQuestion(Store& store, const ChangesRequest& request)
      : store_(store), request_(request), series_{request.measure, request.step} {}

  absl::StatusOr<stats::ChangePoints> answer() {
    const auto points = find_points();
    if (!points.ok()) return points.status();
    auto found = stats::change_points(*points, request_.measure);
    const bool together = std::any_of(points->begin(), points->end(), [](const auto& each) { return each.runs > 1; });
    for (stats::ChangePoint& change : found.changes) {
      if (together) {
        if (auto status = look_closer(change); !status.ok()) return status;
      }
      if (auto status = name_builds(change); !status.ok()) return status;
    }
    return found;
  }

 private:
  absl::StatusOr<std::vector<TimePoint>> find_points() {
    if (!from_rollups(request_.filter)) return single_runs();
    PlaceOfResolution days(Resolution::kDay);
    if (auto status = add(Stretch::By::kDay, days); !status.ok()) return status;
    const auto complete = store_.complete_since(request_.filter.job);
    if (!complete.ok()) return complete.status();
    if (days.succeeded() <= kSingleRunsMax && *complete <= request_.filter.since.value_or(kTimeBegin))
      return single_runs();
    rolled_up_ = true;
    if (!series_.durations() || days.sums().size() >= kDaysMin) return days.points();
    PlaceOfResolution hours(Resolution::kHour);
    if (auto status = add(Stretch::By::kHour, hours); !status.ok()) return status;
    return hours.points();
  }

  absl::Status add(Stretch::By largest, PlaceOfResolution& places) {
    Cut cut;
    cut.since = request_.filter.since;
    cut.until = request_.filter.until;
    cut.largest = largest;
    return add_up(store_, request_.filter.job, series_, cut, places).status();
  }

  absl::StatusOr<std::vector<TimePoint>> single_runs() {
    const auto points = runs_of(succeeded());
    if (!points.ok()) return points.status();
    return stats::grouped(*points, stats::kPointsMax);
  }

  // A point a run.
  absl::StatusOr<std::vector<TimePoint>> runs_of(const RunFilter& filter) {
    std::vector<std::tuple<Nanos, Uuid, double>> values;
    const absl::Status scanned = store_.scan(filter, [&](const Run& run) {
      if (const auto value = value_of(run, request_.measure, request_.step))
        values.emplace_back(run.started_at, run.id, *value);
    });
    if (!scanned.ok()) return scanned;
    std::sort(values.begin(), values.end());
    std::vector<TimePoint> points;
    points.reserve(values.size());
    for (const auto& [at, id, value] : values) points.push_back({at, value});
    return points;
  }

  // Between which runs of the points beside it the change lies, if these are kept and not too many.
  absl::Status look_closer(stats::ChangePoint& change) {
    const auto complete = store_.complete_since(request_.filter.job);
    if (!complete.ok()) return complete.status();
    RunFilter filter = succeeded();
    filter.since = std::max(change.earliest, filter.since.value_or(change.earliest));
    if (change.latest) filter.until = change.latest;
    if (*complete > *filter.since) return absl::OkStatus();
    const auto runs = runs_of(filter);
    if (!runs.ok()) return runs.status();
    if (runs->size() > kCloserRunsMax) return absl::OkStatus();
    std::vector<double> values;
    for (const TimePoint& each : *runs) values.push_back(each.value);
    if (const auto at = stats::most_divisive(values)) change.at = (*runs)[*at].at;
    return absl::OkStatus();
  }

  RunFilter succeeded() const {
    RunFilter filter = request_.filter;
    filter.states = kSuccess;
    return filter;
  }

  absl::Status name_builds(stats::ChangePoint& change) {
    RunFilter filter = succeeded();
    filter.since = std::max(change.since, filter.since.value_or(change.since));
    filter.until = change.at;
    const auto last = store_.runs(filter, std::nullopt, kBuildRuns);
    if (!last.ok()) return last.status();
    stats::name_builds(last->runs, &change.versions_before, &change.build_ids_before);
    filter.since = std::max(change.at, filter.since.value_or(change.at));
    filter.until = change.until ? change.until : request_.filter.until;
    const auto first = oldest(filter);
    if (!first.ok()) return first.status();
    stats::name_builds(*first, &change.versions_after, &change.build_ids_after);
    // The start of an hour or day is not that of a run.
    if (rolled_up_ && !first->empty()) change.at = first->front().started_at;
    return absl::OkStatus();
  }

  // About the first kBuildRuns runs, oldest first; lists begin with the newest, so the end is moved until few are left.
  absl::StatusOr<std::vector<Run>> oldest(RunFilter filter) {
    Nanos few = *filter.since;                     // until here there are fewer
    Nanos many = filter.until.value_or(kTimeEnd);  // until here there are too many for a page
    filter.until = many;
    for (;;) {
      auto page = store_.runs(filter, std::nullopt, 5 * kBuildRuns);
      if (!page.ok()) return page.status();
      const bool whole = !page->next && (page->runs.size() >= kBuildRuns || *filter.until == many);
      if (whole || many - few <= 1) return first_of(*std::move(page));
      (page->next ? many : few) = *filter.until;
      filter.until = few + (many - few) / 2;
    }
  }

  static std::vector<Run> first_of(RunPage page) {
    std::reverse(page.runs.begin(), page.runs.end());
    page.runs.resize(std::min(page.runs.size(), kBuildRuns));
    return std::move(page.runs);
  }

  Store& store_;
  const ChangesRequest& request_;
  const stats::Series series_;
  bool rolled_up_ = false;  // points are hours or days
};

}  // namespace

absl::StatusOr<stats::ChangePoints> Query::changes(const ChangesRequest& request) {
  if (auto missing = require(request.filter.job); !missing.ok()) return missing;
  return ChangesQuestion(store_, request).answer();
}

}  // namespace kleptometrics::aggregator::query
