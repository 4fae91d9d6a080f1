#include "aggregator/query/sides.h"

#include <algorithm>
#include <utility>

#include "aggregator/query/parts.h"

namespace kleptometrics::aggregator::query {
namespace {

constexpr std::size_t kPageRuns = 100;  // in memory at once

FieldError error(const char* field, std::string detail) { return {field, std::move(detail)}; }

bool by_build(const CompareRequest& request) {
  return !request.baseline_version.empty() || !request.baseline_build_id.empty();
}

bool differ(const std::string& ours, const std::string& theirs) {
  return !ours.empty() && !theirs.empty() && ours != theirs;
}

// True if no run can be on both sides, whenever it started.
bool kept_apart(const CompareRequest& request) {
  return differ(request.filter.version, request.baseline_version) ||
         differ(request.filter.build_id, request.baseline_build_id);
}

// Only runs behind the baseline, unless it was put behind the window.
std::optional<Nanos> window_since(const CompareRequest& request) {
  const RunFilter& window = request.filter;
  if (window.since || !request.baseline_until || kept_apart(request)) return window.since;
  const bool baseline_is_later = window.until && request.baseline_since && *window.until <= *request.baseline_since;
  return baseline_is_later ? std::nullopt : request.baseline_until;
}

// The position that the baseline lies behind.
std::optional<RunCursor> baseline_start(const CompareRequest& request, const std::optional<RunCursor>& window_end) {
  if (request.baseline_until || kept_apart(request)) return std::nullopt;
  if (request.filter.since) return before(*request.filter.since);
  if (!window_end && request.filter.until) return before(*request.filter.until);
  return window_end;
}

std::optional<FieldError> same_runs(const CompareRequest& request) {
  const RunFilter& filter = request.filter;
  if (!by_build(request) || request.baseline_version != filter.version || request.baseline_build_id != filter.build_id)
    return std::nullopt;
  return error(request.baseline_version.empty() ? "baseline_build_id" : "baseline_version",
               "the baseline would be of the same runs as the window");
}

std::optional<FieldError> overlap_in_time(const CompareRequest& request) {
  const std::optional<Nanos>& since = request.filter.since;
  const std::optional<Nanos>& until = request.filter.until;
  const std::optional<Nanos>& from = request.baseline_since;
  const std::optional<Nanos>& to = request.baseline_until;
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

}  // namespace

std::optional<Nanos> Side::until() const {
  if (!after) return filter.until;
  return std::min(after->started_at, filter.until.value_or(after->started_at));
}

std::optional<FieldError> overlap(const CompareRequest& request) {
  const std::optional<Nanos>& from = request.baseline_since;
  const std::optional<Nanos>& to = request.baseline_until;
  if (from && to && *from > *to) return error("baseline_since", "baseline_since lies after baseline_until");
  if (auto same = same_runs(request)) return same;
  return kept_apart(request) ? std::nullopt : overlap_in_time(request);
}

Side window_of(const CompareRequest& request) {
  Side window;
  window.filter = request.filter;
  window.filter.states = {State::kSucceeded};
  window.filter.since = window_since(request);
  if (!request.filter.since) window.count = kWindowRuns;
  return window;
}

Side baseline_of(const CompareRequest& request, const std::optional<RunCursor>& window_end) {
  Side baseline;
  baseline.filter = request.filter;
  baseline.filter.states = {State::kSucceeded};
  baseline.filter.since = request.baseline_since;
  baseline.filter.until = request.baseline_until;
  if (by_build(request)) {
    baseline.filter.version = request.baseline_version;
    baseline.filter.build_id = request.baseline_build_id;
  }
  baseline.after = baseline_start(request, window_end);
  if (!request.baseline_since) baseline.count = kBaselineRuns;
  return baseline;
}

bool from_rollups(const CompareRequest& request) { return from_rollups(request.filter) && !by_build(request); }

absl::StatusOr<std::optional<RunCursor>> visit_newest(Store& store, const Side& side,
                                                      absl::FunctionRef<void(const Run&)> visit) {
  std::optional<RunCursor> after = side.after;
  for (std::size_t left = side.count; left > 0;) {
    const auto page = store.runs(side.filter, after, std::min(left, kPageRuns));
    if (!page.ok()) return page.status();
    for (const Run& run : page->runs) visit(run);
    if (!page->runs.empty()) after = RunCursor{page->runs.back().started_at, page->runs.back().id};
    if (!page->next) break;
    left -= std::min(left, page->runs.size());
  }
  return after;
}

}  // namespace kleptometrics::aggregator::query
