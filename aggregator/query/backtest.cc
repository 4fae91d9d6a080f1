// What a specification would have told of the runs that are kept.
#include <algorithm>
#include <utility>
#include <vector>

#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {

absl::StatusOr<Backtest> Query::backtest(const BacktestRequest& request) {
  if (absl::Status status = require(request.job); !status.ok()) return status;
  RunFilter filter{.job = request.job};
  filter.since = request.since;
  filter.until = request.until;
  Backtest out;
  std::vector<rules::RunFacts> runs;
  const absl::Status status = store_.scan(filter, [&](const Run& run) {
    // As news, whenever it was: each was when it ended.
    if (runs.size() < kBacktestRunsMax) runs.push_back(rules::facts_of(run, run.started_at));
  });
  if (!status.ok()) return status;
  if (runs.size() == kBacktestRunsMax) {
    return absl::OutOfRangeError("the job has more than " + std::to_string(kBacktestRunsMax) +
                                 " runs from `since` to `until`; ask for less time");
  }
  const auto complete_since = store_.complete_since(request.job);
  if (!complete_since.ok()) return complete_since.status();
  out.since = std::max(request.since, *complete_since);
  out.until = request.until;
  out.result = rules::backtest(request.job, request.spec, runs, out.since, out.until);
  return out;
}

}  // namespace kleptometrics::aggregator::query
