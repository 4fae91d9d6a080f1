// What a specification would have told of the past: the rules of a JobWatch, fed with stored runs as they happened.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aggregator/model/alert.h"
#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/rules/facts.h"
#include "aggregator/rules/limits.h"

namespace kleptometrics::aggregator::rules {

struct BacktestResult {
  std::vector<Delay> delays;       // as they stood at the end, each once, in the order in which they were found
  std::vector<Alert> alerts;       // likewise
  std::uint64_t runs = 0;          // that were judged
  std::uint64_t alerted_runs = 0;  // of those: that opened an alert
  std::uint64_t gaps = 0;          // starts that never came
  std::string summary;             // `3 of 214 runs`, `3 of 214 runs, and 2 gaps`
};

// Judges the runs that started in [since, until), in whatever order they are given; others are left out. Occurrences
// are expected from `since`, and what was open at `until` is open in the result. A run without an end ran up to
// `until`. A pause of the specification is left out: the question is about the specification, not about today. Requires
// readable specifications, as JobWatch does.
BacktestResult backtest(const std::string& job, JobSpec spec, const std::vector<RunFacts>& runs, Nanos since,
                        Nanos until, const std::optional<Limits>& limits = std::nullopt);
// Of whole runs, each taken when it ended.
BacktestResult backtest(const std::string& job, JobSpec spec, const std::vector<Run>& runs, Nanos since, Nanos until,
                        const std::optional<Limits>& limits = std::nullopt);

}  // namespace kleptometrics::aggregator::rules
