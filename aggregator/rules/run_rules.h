// The rules about runs themselves (job_watch.h): how long they take, and how they end.
#pragma once

#include <optional>
#include <vector>

#include "aggregator/rules/pass.h"

namespace kleptometrics::aggregator::rules {

// A terminal snapshot that was not known, and what was known of the run as ended, if it was.
struct End {
  RunFacts run;
  std::optional<RunFacts> before{};
};

// The running runs that have passed a limit by now.
void judge_running(Pass& pass);
// The run has ended, or ended otherwise than was known. Notes in it what has been told.
void judge_duration(Pass& pass, RunFacts& run);
// The limits that have been learned for the run: its own, where it has some, else its job's.
std::optional<Limits> learned_for(const RunFacts& run, const std::optional<Limits>& limits);
// Runs that have become slower, one and all: an alert `slower` of no run.
void judge_shift(Pass& pass);
// A run that is running is to be forgotten: closes what is open of it.
void forget_running(Pass& pass, const RunFacts& run);
// When a run that is running will pass a limit of which nothing was told; nullopt: never.
std::optional<Nanos> next_of_running(const JobWatchState& state, const Calendar& calendar,
                                     const std::optional<Limits>& limits);

// Failures in a row, and runs that succeed too soon. Adds the run to those that ended. To be called in the order of
// ends.
void judge_outcome(Pass& pass, const End& end);

}  // namespace kleptometrics::aggregator::rules
