// What the rules have found about jobs, as a store keeps it: delays and alerts (model/alert.h), and beside them, as
// bytes that only the rules understand, how far they have got with each job. Plain values and the pure rules that all
// back ends share; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/model/alert.h"

namespace kleptometrics::aggregator {

// To be kept together, or not at all. Each delay and alert replaces the one of its id: see merged(). Of several of one
// id the last stands.
struct Findings {
  std::vector<Delay> delays{};
  std::vector<Alert> alerts{};
  std::vector<Uuid> withdrawn{};  // delays that were none after all: to be removed, where they are known
  std::vector<std::pair<std::string, std::string>> watch_states{};  // job, and its bytes; none: it has none any more
  bool empty() const { return delays.empty() && alerts.empty() && withdrawn.empty() && watch_states.empty(); }
};

// Closed findings are removed when they are older than this.
inline constexpr Nanos kFindingsKept = 400 * 24 * 3600 * kNanosPerSecond;

// Which delays or alerts a question is about. Empty members select everything; name the others: {.job = "import"}.
template <typename Kind>
struct FindingFilter {
  std::optional<bool> open{};  // those that are open, or those that are closed
  std::vector<Kind> kinds{};   // one of these
  std::string job{};
  Uuid run_id{};                 // of this run
  std::optional<Nanos> since{};  // opened_at >= since
  std::optional<Nanos> until{};  // opened_at < until
};
using DelayFilter = FindingFilter<DelayKind>;
using AlertFilter = FindingFilter<AlertKind>;

// True if the filter selects it.
template <typename Finding, typename Kind>
bool matches(const FindingFilter<Kind>& filter, const Finding& finding) {
  if (filter.open && *filter.open != finding.open()) return false;
  if (!filter.kinds.empty() && std::ranges::find(filter.kinds, finding.kind) == filter.kinds.end()) return false;
  if (!filter.job.empty() && filter.job != finding.job) return false;
  if (!filter.run_id.none() && filter.run_id != finding.run_id) return false;
  return finding.opened_at >= filter.since.value_or(finding.opened_at) &&
         (!filter.until || finding.opened_at < *filter.until);
}

// Position in the order of lists: open ones first, then the newest opened first, the larger id first of equal ones.
// What closes while somebody reads page by page keeps, for that reader, its place among the open ones, so that nothing
// is listed twice or left out: a cursor knows how many had closed by the time that its first page was read.
struct FindingCursor {
  bool open = true;  // the last one listed was among the open ones
  Nanos opened_at = 0;
  Uuid id;
  std::int64_t closings = 0;  // the store's count of closings
  bool operator==(const FindingCursor&) const = default;
};
template <typename Finding>
struct FindingPage {
  std::vector<Finding> items;
  std::optional<FindingCursor> next;  // position after the last of `items`; absent when nothing is left
};
using DelayPage = FindingPage<Delay>;
using AlertPage = FindingPage<Alert>;

// How many there are of a job and a kind.
template <typename Kind>
struct FindingCount {
  std::string job;
  Kind kind{};
  std::uint64_t count = 0;
  bool operator==(const FindingCount&) const = default;
};
using DelayCounts = std::vector<FindingCount<DelayKind>>;  // sorted by job and kind, none of them 0
using AlertCounts = std::vector<FindingCount<AlertKind>>;

inline void keep_acknowledgement(Delay&, const Delay&) {}
inline void keep_acknowledgement(Alert& alert, const Alert& stored) {
  if (stored.acknowledged_at) alert.acknowledged_at = stored.acknowledged_at;
}

// What is stored where `incoming` meets the one of its id. Each opens once and closes once: when it opened, its job,
// and when it was first acknowledged stay as they are, and what is closed is not opened again.
template <typename Finding>
Finding merged(Finding incoming, const Finding& stored) {
  Finding result = !stored.open() && incoming.open() ? stored : incoming;
  keep_acknowledgement(result, incoming);
  keep_acknowledgement(result, stored);
  result.job = stored.job;
  result.opened_at = stored.opened_at;
  return result;
}

}  // namespace kleptometrics::aggregator
