// What the rules know of a run: the few values of a snapshot that decide whether its job is late, too slow or failing.
// Plain values, copied out of a Run once and kept, in small numbers, in the state of a JobWatch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::rules {

// A run that ended longer ago than this, when it is taken, is history: it is recorded, and opens no alert.
inline constexpr Nanos kHistoryAge = 24 * 3600 * kNanosPerSecond;
// Of a failure's message, what an alert repeats.
inline constexpr std::size_t kCauseBytesMax = 200;

struct RunFacts {
  Uuid id;
  Nanos started_at = 0;
  std::optional<Nanos> scheduled_at{};
  std::uint32_t attempt = 1;
  State state = State::kRunning;
  bool verdict = false;        // the aggregator says that it crashed; its reporter may know better
  std::uint64_t revision = 0;  // of the snapshot
  Nanos ended_at = 0;          // of a terminal run: as it says, else its start and duration, never before its start
  Nanos duration = 0;          // of a terminal run: by its steady clock where it says so
  std::string cause{};         // of a failed or crashed run: why, in a few words; empty: unknown
  bool history = false;        // see kHistoryAge
  // Since a watch has told that it overruns, or is slow: the limit that was passed, for which it will be judged at its
  // end, whatever the limit is then. 0: not told.
  Nanos overrun_limit = 0;
  Nanos slower_limit = 0;
  // What has been learned of runs that do as much work as this one has reported, in the place of its job's Limits.
  std::optional<Nanos> too_long{};
  std::optional<Nanos> too_short{};

  bool failed() const { return state == State::kFailed || state == State::kCrashed; }
  bool operator==(const RunFacts&) const = default;
};

// Of a valid run, taken at `now`.
RunFacts facts_of(const Run& run, Nanos now);

// True if the first is a newer snapshot of the same run than the second: the merge order of snapshots, as far as facts
// tell (aggregator/model).
bool newer(const RunFacts& incoming, const RunFacts& known);

}  // namespace kleptometrics::aggregator::rules
