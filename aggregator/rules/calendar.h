// When runs of a job are expected, by its specification and since when: the questions that the rules ask of a schedule.
// Pure; used by the rules alone, one thread at a time (it remembers its last answer, as neighbouring runs ask the
// same).
#pragma once

#include <optional>

#include "aggregator/model/job.h"
#include "aggregator/rules/facts.h"
#include "aggregator/rules/state.h"
#include "aggregator/schedule/schedule.h"

namespace kleptometrics::aggregator::rules {

// The sum, at most kNanosEnd. Requires `length` >= 0.
inline Nanos later(Nanos at, Nanos length) { return at > kNanosEnd - length ? kNanosEnd : at + length; }

class Calendar {
 public:
  explicit Calendar(JobSpec spec);

  const JobSpec& spec() const { return spec_; }
  bool has_occurrences() const { return schedule_ && schedule_->has_occurrences(); }
  bool has_interval() const { return spec_.interval != 0 && !has_occurrences(); }

  // The first occurrence after the instant.
  std::optional<Nanos> next(Nanos after) const;
  bool is_occurrence(Nanos at) const;
  // The one that the run takes: the one it names, else, with a cron expression, see job_watch.h. nullopt: none.
  std::optional<Nanos> slot_of(const RunFacts& run) const;
  // By when a start at the occurrence is on time, at it included.
  Nanos deadline(Nanos at) const { return later(at, spec_.grace); }
  // Until when a start that is not on time is late, at it excluded: then the occurrence stays missed. nullopt: for
  // ever.
  std::optional<Nanos> missed_end(Nanos at) const;
  // With an interval: when the start after the one at `last` is due, neither quiet nor an interval after less than
  // `since`. nullopt: never.
  std::optional<Nanos> due_after(Nanos last, const JobWatchState& state) const;

  // In a maintenance window, in the pause that begins at `since`, or in the last before it.
  bool quiet(Nanos at, const JobWatchState& state) const { return quiet_end(at, state).has_value(); }

 private:
  struct Between {
    Nanos previous;
    Nanos next;
  };
  std::optional<Nanos> quiet_end(Nanos at, const JobWatchState& state) const;
  // The occurrences around the instant, the first at it or before; nullopt if one of them is missing.
  std::optional<Between> around(Nanos at) const;

  JobSpec spec_;
  std::optional<schedule::Schedule> schedule_;
  mutable std::optional<Between> last_;
};

}  // namespace kleptometrics::aggregator::rules
