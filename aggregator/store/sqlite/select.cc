#include "aggregator/store/sqlite/select.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kleptometrics::aggregator::sqlite {
namespace {

constexpr int kUpperStart = 1;
constexpr int kUpperId = 2;
constexpr int kSince = 3;
constexpr int kStates = 4;
constexpr int kJob = 5;

bool only(const RunFilter& filter, std::initializer_list<State> states) {
  return !filter.states.empty() && std::ranges::all_of(filter.states, [&](State state) {
    return std::ranges::find(states, state) != states.end();
  });
}

// An index, and the condition that SQLite must read literally to use it (schema.cc).
std::pair<const char*, const char*> index_of(const RunFilter& filter) {
  if (only(filter, {State::kRunning})) return {"runs_open_by_start", " AND state = 1"};
  const bool bad = only(filter, {State::kFailed, State::kCrashed});
  const char* const condition = bad ? " AND state IN (3, 5)" : "";
  if (filter.job.empty()) return {bad ? "runs_bad_by_start" : "runs_by_start", condition};
  return {bad ? "runs_bad_by_job" : "runs_by_job", condition};
}

std::int64_t mask_of(const std::vector<State>& states) {
  std::int64_t mask = states.empty() ? -1 : 0;
  for (const State state : states) mask |= std::int64_t{1} << static_cast<int>(state);
  return mask;
}

}  // namespace

std::string select_sql(const RunFilter& filter) {
  const auto [index, condition] = index_of(filter);
  return absl::StrCat("SELECT bytes, annotations, id, started_at FROM runs INDEXED BY ", index,
                      " WHERE (started_at, id) < (?1, ?2) AND started_at >= ?3 AND (?4 >> state) & 1", condition,
                      filter.job.empty() ? "" : " AND job = (SELECT key FROM jobs WHERE name = ?5)",
                      " ORDER BY started_at DESC, id DESC");
}

void bind_range(Execution& query, const RunFilter& filter, const std::optional<RunCursor>& after) {
  // Before (until, smallest id) is before `until`; no start of a run reaches the largest number.
  std::int64_t start = filter.until.value_or(std::numeric_limits<Nanos>::max());
  std::string_view id;
  if (after && after->started_at < start) {
    start = after->started_at;
    id = after->id.view();
  }
  query.bind(kUpperStart, start).bind_blob(kUpperId, id);
  query.bind(kSince, filter.since.value_or(std::numeric_limits<Nanos>::min()));
}

void bind_select(Execution& query, const RunFilter& filter, const std::optional<RunCursor>& after) {
  bind_range(query, filter, after);
  query.bind(kStates, mask_of(filter.states));
  if (!filter.job.empty()) query.bind_text(kJob, filter.job);
}

}  // namespace kleptometrics::aggregator::sqlite
