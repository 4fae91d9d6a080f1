// Watches one job: is told what became of its runs and how time passes, and finds what is late, missing, too long or
// too short, and failing. The one place where these words are defined; aggregator/watch keeps a JobWatch for each job
// and feeds it from the store, back-tests feed one from the past. Pure: no clock, no I/O; one thread at a time.
//
// OCCURRENCES. With a cron expression (aggregator/schedule) a run takes the occurrence that it names by `scheduled_at`,
// exactly. Without that it takes the nearer of the two around its start, which is within half of the period between
// them (the earlier one, if they are equally near); so an early start takes the occurrence to come. A second attempt
// that names none takes the one at its start or before. Of several runs at one occurrence the first start counts: the
// others share it, as attempts, or are extra.
//   An occurrence is expected unless it is before `since`, in a maintenance window or in a pause. If expected, with
// D = its time + grace and N = the next occurrence (at least D):
//   - a start up to D, and at D, is on time;
//   - no start up to D: a delay `missed`, opened at D;
//   - a start after D and before N turns it into `late_start`, closed at that start, with what the start came later
//     than the occurrence;
//   - no start before N: it stays `missed`, and is closed at N.
//   An occurrence that a run names and that the schedule does not have, or that is before `since`, is never missed; it
// is late by the same rule, where there is no schedule without an N. In a window or a pause nothing is late.
//
// INTERVALS count from the last start, whichever run it is of, and from `since` before the first start. The next start
// is due an interval after it or, where that is in a window or a pause, as many whole intervals later as lead out of
// it. A start later than due + grace is late. Until one comes, one `missed` is open, not one for each interval.
//
// DURATIONS. A run overruns from its start + max_duration on, if it lasts longer; `overrun` opens then and closes at
// its end with what it took. Each run is watched by itself. One that is known only when it has ended opens and closes
// at once.
//
// ALERTS. Opened once, closed once, explained in one sentence.
//   - missed: opens with the first delay `missed`, at its D; closes at the next start of any run, after D.
//   - late_start: opens at a late start; closes at the next start on time.
//   - failed, crashed: each opens with a run of its kind that brings the runs in a row that failed or crashed, in the
//     order of their ends, to failures_before_alert or more; both close when as many as successes_before_recovery have
//     succeeded in a row. Canceled runs count neither way.
//   - too_short: opens when a run succeeds in less than min_duration, or than has been learned; closes with the next
//     that does not.
//   - overrun, slower: one a run, while it takes longer than max_duration, and than has been learned; and a `slower` of
//     no run while the newest runs are slower than those before, one and all.
// None opens at an instant in a maintenance window or a pause, nor by a run that is history (kHistoryAge); they close
// there all the same, and delays are recorded.
//
// ORDER. Snapshots may come in any order and repeatedly. take() only notes them; the next advance() concludes from all
// of them together, each event at its own time. So take all that arrived together (after a downtime: all of it), then
// advance. Delays follow from the facts alone, in whatever order they arrive; one that a later snapshot disproves is
// withdrawn. An alert is never taken back: if it was opened by what has been disproved or overruled, it is closed at
// `now`, and says so. The bounds of what is remembered, beyond which late facts change nothing, are in state.h.
#pragma once

#include <optional>
#include <string>

#include "aggregator/model/job.h"
#include "aggregator/rules/calendar.h"
#include "aggregator/rules/facts.h"
#include "aggregator/rules/findings.h"
#include "aggregator/rules/limits.h"
#include "aggregator/rules/state.h"

namespace kleptometrics::aggregator::rules {

class JobWatch {
 public:
  // `since`: from when on occurrences are expected, as a rule when the specification was first put. A job without one
  // is watched by JobSpec{}. Requires a specification that validate() and schedule::unreadable() have nothing against
  // (one that cannot be read has no occurrences and no windows).
  JobWatch(std::string job, JobSpec spec, Nanos since);
  // The watch that state() was asked of, whose specification has not changed since: if it has, replace() comes next.
  JobWatch(std::string job, JobSpec spec, JobWatchState state);

  // A snapshot that was committed, at `now`. Requires run.job to be this job. Nothing is found before the next
  // advance().
  void take(const Run& run, Nanos now);
  void take(RunFacts facts);
  // It is `now`. Times may stand still; one that goes back finds nothing new.
  void advance(Nanos now, Findings& out);
  // When there will be something to find even if nothing is taken; nullopt: never. To be asked again after each call.
  std::optional<Nanos> next_deadline() const;

  // Another specification from `now` on. A new schedule, a pause and its end start anew: what was missed and open
  // closes, and occurrences are expected from `now` on. Other limits hold for what has not been told before.
  void replace(JobSpec spec, Nanos now, Findings& out);
  // What has been learned by now; holds for what has not been told before. No part of the state.
  void expect(std::optional<Limits> limits) { limits_ = limits; }

  const std::string& job() const { return job_; }
  const JobSpec& spec() const { return calendar_.spec(); }
  const JobWatchState& state() const { return state_; }

 private:
  // Occurrences are expected from here on; a pause there was is over, or is another's.
  void start_anew(Nanos since);

  std::string job_;
  Calendar calendar_;
  std::optional<Limits> limits_;
  JobWatchState state_;
};

}  // namespace kleptometrics::aggregator::rules
