// Which runs are compared with which. The arithmetic is that of stats.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::query {
namespace {

constexpr std::size_t kPageRuns = 100;  // in memory at once
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

FieldError error(const char* field, std::string detail) { return {field, std::move(detail)}; }

// The position before which everything is that started before the instant: ids are never smaller than none.
RunCursor before(Nanos at) { return {at, Uuid{}}; }

// Calls `visit` with the newest runs of the filter, at most `count`. Returns the position after the last of them.
absl::StatusOr<std::optional<RunCursor>> visit_newest(Store& store, const RunFilter& filter,
                                                      std::optional<RunCursor> after, std::size_t count,
                                                      absl::FunctionRef<void(const Run&)> visit) {
  while (count > 0) {
    const auto page = store.runs(filter, after, std::min(count, kPageRuns));
    if (!page.ok()) return page.status();
    for (const Run& run : page->runs) visit(run);
    if (!page->runs.empty()) after = RunCursor{page->runs.back().started_at, page->runs.back().id};
    if (!page->next) break;
    count -= std::min(count, page->runs.size());
  }
  return after;
}

// Only runs behind the baseline, unless it was put behind the window.
std::optional<Nanos> window_since(const CompareRequest& request) {
  const RunFilter& window = request.filter;
  if (window.since || !request.baseline_until) return window.since;
  const bool baseline_is_later = window.until && request.baseline_since && *window.until <= *request.baseline_since;
  return baseline_is_later ? std::nullopt : request.baseline_until;
}

// The position that the baseline lies behind. `window_end`: that of the last run of the window, if it has any.
std::optional<RunCursor> baseline_start(const CompareRequest& request, const std::optional<RunCursor>& window_end) {
  if (request.baseline_until) return std::nullopt;  // its own end says it
  if (request.filter.since) return before(*request.filter.since);
  if (!window_end && request.filter.until) return before(*request.filter.until);
  return window_end;
}

}  // namespace

std::optional<FieldError> overlap(const CompareRequest& request) {
  const std::optional<Nanos>& since = request.filter.since;
  const std::optional<Nanos>& until = request.filter.until;
  const std::optional<Nanos>& from = request.baseline_since;
  const std::optional<Nanos>& to = request.baseline_until;
  if (from && to && *from > *to) return error("baseline_since", "baseline_since lies after baseline_until");
  if (!to) {
    if (!from || !(since ? *from >= *since : until && *from >= *until)) return std::nullopt;
    return error("baseline_since",
                 "the baseline would begin in the window or after it; baseline_until says where it ends");
  }
  const bool before_window = since ? *to <= *since : !until || *to < *until;
  const bool after_window = from && until && *from >= *until;
  if (before_window || after_window) return std::nullopt;
  return error("baseline_until", "the baseline overlaps the window: a run must not be on both sides");
}

absl::StatusOr<stats::Comparison> Query::compare(const CompareRequest& request) {
  if (auto missing = require(request.filter.job); !missing.ok()) return missing;
  stats::Comparer comparer(request.measure, request.step, kGraceDefault);

  RunFilter window = request.filter;
  window.states = {State::kSucceeded};
  window.since = window_since(request);
  const auto window_end = visit_newest(store_, window, std::nullopt, request.filter.since ? kAll : kWindowRuns,
                                       [&](const Run& run) { comparer.add_window(run); });
  if (!window_end.ok()) return window_end.status();

  RunFilter baseline = request.filter;
  baseline.states = {State::kSucceeded};
  baseline.since = request.baseline_since;
  baseline.until = request.baseline_until;
  const auto baseline_end =
      visit_newest(store_, baseline, baseline_start(request, *window_end),
                   request.baseline_since ? kAll : kBaselineRuns, [&](const Run& run) { comparer.add_baseline(run); });
  if (!baseline_end.ok()) return baseline_end.status();
  return comparer.finish();
}

}  // namespace kleptometrics::aggregator::query
