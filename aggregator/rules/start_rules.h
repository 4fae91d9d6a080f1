// The rules about starts (job_watch.h): what is missing and what is late. Those of occurrences hold with a cron
// expression, and for runs that name an occurrence themselves; those of intervals with an interval.
#pragma once

#include <optional>
#include <vector>

#include "aggregator/rules/pass.h"

namespace kleptometrics::aggregator::rules {

// Concludes from starts of runs that were not known before, and from the time that has passed. `starts` is sorted by
// start, then id.
void judge_occurrences(Pass& pass, const std::vector<RunFacts>& starts);
void judge_intervals(Pass& pass, const std::vector<RunFacts>& starts);

// What is missing is no longer expected, for the reason that `clause` tells: closes it at `now`.
void forget_occurrences(Pass& pass, const std::string& clause);
void forget_intervals(Pass& pass, const std::string& clause);
// Notes which occurrences the runs take, and says nothing: for another schedule.
void note_starts(JobWatchState& state, const Calendar& calendar, const std::vector<RunFacts>& runs);

// When time alone will tell something; nullopt: never.
std::optional<Nanos> next_of_occurrences(const JobWatchState& state, const Calendar& calendar);
std::optional<Nanos> next_of_intervals(const JobWatchState& state, const Calendar& calendar);

// Parts of both: an alert about an occurrence; its opening; and its end where a start in time came to light.
Alert alert_about(const Pass& pass, AlertKind kind, Nanos scheduled_at, Nanos opened_at);
void open_missed(Pass& pass, Nanos scheduled_at);
void open_late(Pass& pass, const RunFacts& run, Nanos scheduled_at);
void close_missed_by_start(Pass& pass, const RunFacts& run);
void close_late_by_start(Pass& pass, Nanos start);
// The delay at the occurrence never was: withdraws it.
void withdraw_start_delay(Pass& pass, Nanos scheduled_at, Nanos start);
Delay start_delay(const Pass& pass, DelayKind kind, Nanos scheduled_at);
Delay late_start(const Pass& pass, Nanos scheduled_at, Nanos start, const Uuid& run_id);

}  // namespace kleptometrics::aggregator::rules
