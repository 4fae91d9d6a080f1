// Two sides against each other, and a run against others. The arithmetic is that of stats.
#include <limits>
#include <utility>

#include "aggregator/query/query.h"
#include "aggregator/query/sides.h"

namespace kleptometrics::aggregator::query {
namespace {

// Of a side given in time of which runs have expired: since when it is about all.
stats::Rounded rounded_of(const Side& side, Nanos complete_since) {
  stats::Rounded out;
  if (!side.in_time() || complete_since <= side.filter.since.value_or(std::numeric_limits<Nanos>::min())) return out;
  const auto until = side.until();
  out.approximate = true;
  out.since = std::min(complete_since, until.value_or(complete_since));
  out.until = until;
  return out;
}

absl::Status ended(const Run& run) {
  if (terminal(run.state)) return absl::OkStatus();
  return absl::AbortedError("run " + run.id.text() + " has not ended yet");
}

}  // namespace

absl::StatusOr<stats::Comparison> Query::compare(const CompareRequest& request) {
  if (auto missing = require(request.filter.job); !missing.ok()) return missing;
  if (from_rollups(request)) {
    auto rolled = compare_by_rollups(store_, request);
    if (!rolled.ok()) return rolled.status();
    if (*rolled) return **std::move(rolled);
  }
  stats::Comparer comparer(request.measure, request.step, kGraceDefault);
  const Side window = window_of(request);
  const auto window_end = visit_newest(store_, window, [&](const Run& run) { comparer.add_window(run); });
  if (!window_end.ok()) return window_end.status();
  const Side baseline = baseline_of(request, *window_end);
  const auto visited = visit_newest(store_, baseline, [&](const Run& run) { comparer.add_baseline(run); });
  if (!visited.ok()) return visited.status();
  const auto complete = store_.complete_since(request.filter.job);  // behind the visits: no later expiry is overlooked
  if (!complete.ok()) return complete.status();
  stats::Comparison comparison = comparer.finish();
  comparison.total.window.rounded = rounded_of(window, *complete);
  comparison.total.baseline.rounded = rounded_of(baseline, *complete);
  return comparison;
}

absl::StatusOr<stats::RunComparison> Query::run_compare(const Uuid& id, const std::optional<Uuid>& to) {
  auto ours = run(id);
  if (!ours.ok()) return ours.status();
  if (auto open = ended(*ours); !open.ok()) return open;
  if (to) {
    if (*to == id) return absl::InvalidArgumentError("a run is not compared with itself");
    auto theirs = run(*to);
    if (!theirs.ok()) return theirs.status();
    if (theirs->job != ours->job) {
      return absl::InvalidArgumentError("run " + to->text() + " is one of the job `" + theirs->job + "`, not of `" +
                                        ours->job + "`");
    }
    if (auto open = ended(*theirs); !open.ok()) return open;
    return stats::compare_runs(*std::move(ours), *std::move(theirs));
  }
  Side baseline;
  baseline.filter.job = ours->job;
  baseline.filter.states = {State::kSucceeded};
  baseline.after = RunCursor{ours->started_at, ours->id};
  baseline.count = kBaselineRuns;
  stats::RunComparer comparer(*std::move(ours), kGraceDefault);
  const auto visited = visit_newest(store_, baseline, [&](const Run& each) { comparer.add(each); });
  if (!visited.ok()) return visited.status();
  return comparer.finish();
}

}  // namespace kleptometrics::aggregator::query
