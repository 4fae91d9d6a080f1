#include "aggregator/query/query.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "aggregator/query/add_up.h"
#include "aggregator/query/parts.h"

namespace kleptometrics::aggregator::query {

absl::Status Query::require(const std::string& job) {
  const auto heads = store_.jobs(job);
  if (!heads.ok()) return heads.status();
  return heads->empty() ? absl::NotFoundError("there is no job `" + job + "`") : absl::OkStatus();
}

absl::Status Query::require_unless(bool any, const std::string& job) {
  return any || job.empty() ? absl::OkStatus() : require(job);
}

absl::StatusOr<Run> Query::run(const Uuid& id) {
  auto run = store_.run(id);
  if (!run.ok()) return run.status();
  if (!*run) return absl::NotFoundError("there is no run " + id.text());
  return **std::move(run);
}

absl::StatusOr<RunPage> Query::runs(const RunFilter& filter, const std::optional<RunCursor>& after, std::size_t limit) {
  auto page = store_.runs(filter, after, limit);
  if (!page.ok()) return page;
  if (auto missing = require_unless(!page->runs.empty(), filter.job); !missing.ok()) return missing;
  return page;
}

absl::StatusOr<RunAndDelays> Query::run_and_delays(const Uuid& id) {
  auto found = store_.run_and_delays(id);
  if (found.ok() && !found->run) return absl::NotFoundError("there is no run " + id.text());
  return found;
}

absl::StatusOr<DelayPage> Query::delays(const DelayFilter& filter, const std::optional<FindingCursor>& after,
                                        std::size_t limit) {
  auto page = store_.delays(filter, after, limit);
  if (!page.ok()) return page;
  if (auto missing = require_unless(!page->items.empty(), filter.job); !missing.ok()) return missing;
  return page;
}

absl::StatusOr<AlertPage> Query::alerts(const AlertFilter& filter, const std::optional<FindingCursor>& after,
                                        std::size_t limit) {
  auto page = store_.alerts(filter, after, limit);
  if (!page.ok()) return page;
  if (auto missing = require_unless(!page->items.empty(), filter.job); !missing.ok()) return missing;
  return page;
}

// Visits what is kept of the runs of the filter that have ended. What it answers is about a time from which on all are.
absl::StatusOr<stats::Rounded> Query::scan(const StatsRequest& request, absl::FunctionRef<void(const Run&)> visit) {
  RunFilter filter = request.filter;
  filter.states.clear();
  bool any = false;
  const absl::Status scanned = store_.scan(filter, [&](const Run& run) {
    any = true;
    if (terminal(run.state)) visit(run);
  });
  if (!scanned.ok()) return scanned;
  if (auto missing = require_unless(any, filter.job); !missing.ok()) return missing;
  const auto complete = store_.complete_since(filter.job);  // behind the scan: no later expiry is overlooked
  if (!complete.ok()) return complete.status();
  stats::Rounded out;
  const Nanos since = filter.since.value_or(std::numeric_limits<Nanos>::min());
  if (*complete <= since) return out;
  out.approximate = true;
  out.since = std::min(*complete, filter.until.value_or(*complete));
  out.until = filter.until;
  return out;
}

namespace {

// Delays belong to the time at which they opened.
absl::Status count_delays(Store& store, const RunFilter& filter, stats::Stats& stats) {
  DelayFilter of;
  of.job = filter.job;
  of.since = filter.since;
  of.until = filter.until;
  const auto counts = store.delay_counts(of);
  if (!counts.ok()) return counts.status();
  for (const auto& each : *counts) {
    if (each.kind == DelayKind::kOverrun) stats.overrun += each.count;
    if (each.kind == DelayKind::kMissed) stats.missed += each.count;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<stats::Stats> Query::stats(const StatsRequest& request) {
  if (!from_rollups(request.filter)) {
    stats::Accumulator values(request.measure, request.step, request.outcomes, kGraceDefault);
    const auto rounded = scan(request, [&values](const Run& run) { values.add(run); });
    if (!rounded.ok()) return rounded.status();
    stats::Stats stats = values.finish();
    stats.rounded = *rounded;
    return stats;
  }
  const RunFilter& filter = request.filter;
  Cut cut;
  cut.since = filter.since;
  cut.until = filter.until;
  OnePlace place;
  const auto plan = add_up(store_, filter.job, series_of(request), cut, place);
  if (!plan.ok()) return plan.status();
  if (auto missing = require_unless(!place.sum.empty(), filter.job); !missing.ok()) return missing;
  stats::Stats stats = stats::stats_of(place.sum, request.outcomes);
  stats.rounded = rounded_of(*plan, filter.since, filter.until);
  if (absl::Status status = count_delays(store_, filter, stats); !status.ok()) return status;
  return stats;
}

}  // namespace kleptometrics::aggregator::query
