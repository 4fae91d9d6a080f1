// What the journal of a dead program comes to: its runs as they were recorded last, and for each that it left open the
// verdict, crashed. A verdict carries the steps, counters and progress that stood in the journal's areas: what the
// program had added up to its last instruction, newer than its last snapshot. For the spool watcher.
//
// Pure functions of what was read. The journal is a stranger's: what no valid run could hold is left out and counted.
#pragma once

#include <cstddef>
#include <vector>

#include "aggregator/ingest/command.h"
#include "aggregator/model/run.h"
#include "aggregator/watch/verdict.h"
#include "lib/base/uuid.h"
#include "lib/cells/remains.h"
#include "lib/journal/journal.h"

namespace kleptometrics::aggregator {

struct Adopted {
  std::vector<Command>
      commands;             // snapshots, and behind them a verdict for each run that is open in the last of its own
  std::size_t crashed = 0;  // verdicts among them
  std::size_t strange = 0;  // records that are no run
  std::size_t damaged = 0;  // areas that contradict themselves, and runs whose areas do not fit them
};

// `end`: what is known of the program's.
Adopted adopted_from(const journal::Contents& contents, const End& end);

// The snapshots in the records of a journal, in their order; of one run there may be several.
std::vector<Run> snapshots_in(const journal::Contents& contents);
// The runs that they are of.
std::vector<Uuid> runs_in(const journal::Contents& contents);

// Lays what was left of a run over its last snapshot. A step counts as it was left unless the snapshot knows more of
// it; counters and the progress are the newer ones. Distributions are made coarser until the run fits
// limits::run_bytes_max. False, and the run stays as it was, if that is not enough or makes no valid run. What exceeds
// the number of steps or counters that a run may have is left out.
bool lay_over(Run& run, cells::RunRemains remains);

}  // namespace kleptometrics::aggregator
