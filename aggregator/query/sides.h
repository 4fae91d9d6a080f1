// Which runs are compared with which: the window and the baseline of a comparison as the store can be asked for them.
// Pure, but for the visit; any thread.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "aggregator/query/query.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::query {

// The newest runs of a filter that lie after a position in the order of lists.
struct Side {
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  RunFilter filter;
  std::optional<RunCursor> after;  // absent: from the newest
  std::size_t count = kAll;        // of these so many at most

  // Chosen by time alone: everything from an instant on.
  bool in_time() const { return count == kAll; }
  // Everything of it started before; absent: no end is known.
  std::optional<Nanos> until() const;
};

Side window_of(const CompareRequest& request);
// `window_end`: the position after the last run of the window, if it has any. Looked at where the window is counted in
// runs.
Side baseline_of(const CompareRequest& request, const std::optional<RunCursor>& window_end);
// True if rollups know all that is asked: a job, and stretches of time.
bool from_rollups(const CompareRequest& request);

// The position before which everything is that started before the instant: ids are never smaller than none.
inline RunCursor before(Nanos at) { return {at, Uuid{}}; }

// Calls `visit` with each run of the side, newest first. Returns the position after the last of them.
absl::StatusOr<std::optional<RunCursor>> visit_newest(Store& store, const Side& side,
                                                      absl::FunctionRef<void(const Run&)> visit);

// The comparison from rollups; nullopt where single runs will do: see Query::compare(). Requires from_rollups(request).
absl::StatusOr<std::optional<stats::Comparison>> compare_by_rollups(Store& store, const CompareRequest& request);

}  // namespace kleptometrics::aggregator::query
