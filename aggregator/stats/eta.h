// When will a run that is running end? By what the runs of its job took before it, by the progress that it reports, or
// by both. Pure: no I/O, no clock; any thread.
//
// BY HISTORY: of the runs that took longer than it has by now the median, and the quantiles of 5 % and 95 %. Where
// hardly any took so long, the tail is drawn out: a log-normal by median and MAD, whose hazard by logarithms is taken
// as constant from here on, which makes it a Pareto distribution: the longer a run has been overdue, the longer it may
// be.
//
// BY PROGRESS: a share p that took t makes t / p for the whole, if it goes on like that. It does not quite: taken as a
// random walk, the total is known up to a factor of exp(0.3 sqrt((1 - p) / p)). A run that claims more
// than the share of the usual time that has passed, as one that goes on where another left off, is believed as one that
// claims that share. Where all is done, it ends now.
//
// BY BOTH: the mean by logarithms, weighted by what either is sure of (inverse variance). Where the two contradict each
// other by more than both allow, the doubt falls on the history: the progress is that of the run itself.
#pragma once

#include <optional>

#include "aggregator/model/run.h"
#include "aggregator/stats/expectation.h"

namespace kleptometrics::aggregator::stats {

// Of a whole run, seconds; low <= median <= high, none below what has passed.
struct Total {
  double median = 0, low = 0, high = 0;
};
// `elapsed` seconds, at least 0; `reached`: the seconds in which it made the progress, 0 to `elapsed`; `progress` 0
// to 1. nullopt where nothing is learned and there is no progress.
std::optional<Total> total_of(const Expectation& expected, double elapsed, double reached,
                              std::optional<double> progress);

// Instants. As likely as not it ends before `median`; one of twenty ends before `low`, one behind `high`.
struct Eta {
  Nanos median = 0, low = 0, high = 0;
  bool operator==(const Eta&) const = default;
};
// `now` by the wall clock. nullopt of a run that has ended, and as above.
std::optional<Eta> eta_of(const Run& run, const Expectation& expected, Nanos now);

}  // namespace kleptometrics::aggregator::stats
