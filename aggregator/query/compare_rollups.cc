// A comparison of more runs than can be read one by one, from what they were added up to.
#include <algorithm>
#include <utility>
#include <vector>

#include "aggregator/query/add_up.h"
#include "aggregator/query/sides.h"
#include "aggregator/stats/compare_rollups.h"

namespace kleptometrics::aggregator::query {
namespace {

using stats::Measure;
using stats::RollupSide;
using stats::Series;

// So many of the newest runs of a side tell which steps and counters there are.
constexpr std::size_t kNamingRuns = 100;

class RollupComparison {
 public:
  RollupComparison(Store& store, const CompareRequest& request)
      : store_(store), request_(request), series_{request.measure, request.step}, window_(window_of(request)) {}

  absl::StatusOr<std::optional<stats::Comparison>> compare() {
    if (!window_.in_time() && !request_.baseline_since) return std::optional<stats::Comparison>();
    if (auto status = add_wholes(); !status.ok()) return status;
    if (!large_) return std::optional<stats::Comparison>();
    if (auto status = add_counted_baseline(); !status.ok()) return status;
    if (series_.durations()) {
      if (auto status = add_parts(); !status.ok()) return status;
    }
    return std::optional<stats::Comparison>(stats::compare_rollups(ours_, theirs_, series_));
  }

 private:
  // The window, the position of the baseline, and the baseline unless it is counted in runs.
  absl::Status add_wholes() {
    std::optional<RunCursor> window_end;
    if (!window_.in_time()) {
      const auto end = visit_newest(store_, window_, [this](const Run& run) { ours_.add(run, series_); });
      if (!end.ok()) return end.status();
      window_end = *end;
    }
    baseline_ = baseline_of(request_, window_end);
    if (auto status = add_pair(series_, ours_.whole, theirs_.whole, ours_.rounded, theirs_.rounded); !status.ok())
      return status;
    return look_at_size();
  }

  absl::Status look_at_size() {
    const auto complete = store_.complete_since(request_.filter.job);
    if (!complete.ok()) return complete.status();
    const auto large = [&](const Side& side, const stats::Rollup& whole) {
      if (!side.in_time()) return false;
      return whole.of(State::kSucceeded).runs > kSingleRunsMax || *complete > side.filter.since.value_or(kTimeBegin);
    };
    large_ = large(window_, ours_.whole) || large(baseline_, theirs_.whole);
    return absl::OkStatus();
  }

  absl::Status add_counted_baseline() {
    if (baseline_.in_time()) return absl::OkStatus();
    // Not what the window took from before its time, where its edge was rounded.
    if (baseline_.after && window_covers_.start < baseline_.after->started_at)
      baseline_.after = before(window_covers_.start);
    return visit_newest(store_, baseline_, [this](const Run& run) { theirs_.add(run, series_); }).status();
  }

  absl::Status add_parts() {
    for (Side side : {window_, baseline_}) {
      side.count = std::min(side.count, kNamingRuns);
      const auto visited = visit_newest(store_, side, [this](const Run& run) {
        ours_.name_parts(run);
        theirs_.name_parts(run);
      });
      if (!visited.ok()) return visited.status();
    }
    std::vector<Series> steps;
    for (const auto& [name, rollup] : ours_.steps) steps.push_back({Measure{}, name});
    for (const Series& step : steps) {
      if (auto status = add_part(step, ours_.steps[step.step], theirs_.steps[step.step]); !status.ok()) return status;
    }
    return add_counters();
  }

  absl::Status add_counters() {
    for (auto& [name, rollup] : ours_.counters) {
      const Series counter{Measure{Measure::Kind::kCounter, name}, {}};
      if (auto status = add_part(counter, rollup, theirs_.counters[name]); !status.ok()) return status;
      const Series per{Measure{Measure::Kind::kSecondsPer, name}, {}};
      if (auto status = add_part(per, ours_.per_counters[name], theirs_.per_counters[name]); !status.ok())
        return status;
    }
    return absl::OkStatus();
  }

  absl::Status add_part(const Series& series, stats::Rollup& ours, stats::Rollup& theirs) {
    return add_pair(series, ours, theirs, ours_.parts_rounded, theirs_.parts_rounded);
  }

  // Those of the two that are given in time; no run on both sides, also where edges are rounded.
  absl::Status add_pair(const Series& series, stats::Rollup& ours, stats::Rollup& theirs, stats::Rounded& our_rounding,
                        stats::Rounded& their_rounding) {
    if (window_.in_time()) {
      Cut cut;
      cut.since = window_.filter.since;
      cut.until = window_.filter.until;
      const auto plan = add(series, cut, ours);
      if (!plan.ok()) return plan.status();
      our_rounding = rounded_of(*plan, cut.since, cut.until);
      window_covers_ = plan->covers;
    }
    return baseline_.in_time() ? add_baseline(series, theirs, their_rounding) : absl::OkStatus();
  }

  absl::Status add_baseline(const Series& series, stats::Rollup& theirs, stats::Rounded& rounding) {
    Cut cut;
    cut.since = baseline_.filter.since;
    cut.until = baseline_.until();
    const bool later = window_.filter.until && *cut.since >= *window_.filter.until;
    const Nanos asked = later ? *cut.since : cut.until.value_or(kTimeEnd);
    const Nanos bound = bound_of(later, asked);
    (later ? cut.since : cut.until) = bound;
    auto plan = add(series, cut, theirs);
    if (!plan.ok()) return plan.status();
    if (later && plan->covers.start < bound) {
      cut.since = ceil_of(bound, plan->smallest);
      plan = add(series, cut, theirs);
    } else if (!later && plan->covers.end > bound) {
      cut.until = floor_of(bound, plan->smallest);
      plan = add(series, cut, theirs);
    }
    if (!plan.ok()) return plan.status();
    rounding = rounded_of(*plan, cut.since, cut.until);
    if ((later ? *cut.since : *cut.until) != asked) rounding = {true, plan->covers.start, plan->covers.end};
    return absl::OkStatus();
  }

  // Where the baseline must begin (`later`: it lies behind the window) or end.
  Nanos bound_of(bool later, Nanos asked) const {
    if (later) return std::max(window_covers_.end, asked);
    return window_.in_time() ? std::min(window_covers_.start, asked) : asked;
  }

  absl::StatusOr<Plan> add(const Series& series, const Cut& cut, stats::Rollup& sum) {
    OnePlace place;
    auto plan = add_up(store_, request_.filter.job, series, cut, place);
    if (plan.ok()) sum = std::move(place.sum);
    return plan;
  }

  Store& store_;
  const CompareRequest& request_;
  const Series series_;
  Side window_, baseline_;
  RollupSide ours_, theirs_;
  Calendar::Span window_covers_{kTimeBegin, kTimeBegin};  // of a window given in time, of the series added last
  bool large_ = false;
};

}  // namespace

absl::StatusOr<std::optional<stats::Comparison>> compare_by_rollups(Store& store, const CompareRequest& request) {
  return RollupComparison(store, request).compare();
}

}  // namespace kleptometrics::aggregator::query
