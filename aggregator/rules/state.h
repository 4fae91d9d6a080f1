// All that a JobWatch remembers, as plain values of bounded size, so that it survives a restart: whoever keeps it
// writes every field and hands the whole back. What is forgotten, and what follows, is said at each bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "aggregator/model/alert.h"
#include "aggregator/rules/facts.h"

namespace kleptometrics::aggregator::rules {

// Occurrences that have been judged, and what is known of their starts: a start that arrives late for one of them still
// corrects its delay; for an older one it comes too late and changes nothing.
inline constexpr std::size_t kSlotsMax = 64;
// Occurrences that have a start and wait to be judged (after a downtime, mostly). Beyond: nothing will be said of the
// oldest, nor of those before it.
inline constexpr std::size_t kSlotsAheadMax = 4096;
// Starts of a job with an interval. An older one that arrives changes nothing.
inline constexpr std::size_t kStartsMax = 64;
// Runs that ended, by which repeats are known and streaks are counted. One that ended before all of them changes no
// streak.
inline constexpr std::size_t kEndedMax = 64;
// Runs that are running. Beyond: the one that started first is no longer watched, and what was open of it is closed.
inline constexpr std::size_t kRunningMax = 256;
// Snapshots taken and not yet concluded. Beyond: see kSlotsAheadMax.
inline constexpr std::size_t kPendingMax = 8192;

// One occurrence and its first start.
struct Slot {
  enum class Told : std::uint8_t { kNothing, kMissed, kLate };
  Nanos at = 0;
  std::optional<Nanos> start{};  // the earliest known
  Uuid run_id{};                 // whose it is
  bool announced = false;        // that run named the occurrence itself
  Told told = Told::kNothing;    // what its delay says
  bool open = false;             // that delay is open: kMissed, and the next occurrence has not come
  bool operator==(const Slot&) const = default;
};

struct Start {
  Nanos at = 0;
  Uuid run_id{};
  bool operator==(const Start&) const = default;
};

// How many ended runs in a row did not succeed, and how many did since; one of the two is 0. Canceled runs do not
// count.
struct Streak {
  std::uint32_t failures = 0;
  std::uint32_t successes = 0;
  bool operator==(const Streak&) const = default;
};

// Half-open.
struct Span {
  Nanos since = 0;
  Nanos until = 0;
  bool operator==(const Span&) const = default;
};

struct JobWatchState {
  Nanos since = 0;                   // occurrences before it are not expected
  std::optional<Span> last_pause{};  // before `since`; the specification has the one that began at it
  Nanos judged = 0;                  // with a cron expression: whether those up to it were missed has been said
  std::vector<Slot> slots{};         // by time: taken or missed ones
  std::vector<Start> starts{};       // with an interval: by time, then id
  std::optional<Nanos> overdue{};    // with an interval: when the start was due that has been told to be missing
  std::optional<Nanos> newest_start{};
  std::vector<RunFacts> pending{};  // in the order they were taken
  std::vector<RunFacts> running{};  // by start, then id
  std::vector<RunFacts> ended{};    // by end, then id; without their causes
  Streak before_ended{};            // at the end of the runs that were forgotten
  Streak streak{};                  // now
  std::vector<Alert> open_alerts{};
  bool operator==(const JobWatchState&) const = default;
};

}  // namespace kleptometrics::aggregator::rules
