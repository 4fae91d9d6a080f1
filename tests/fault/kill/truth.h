// What an aggregator has in the end: its store, read by the store's own code once the aggregator is gone, and its
// statistics, asked over HTTP while it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "lib/base/uuid.h"
#include "tests/e2e/daemon.h"
#include "tests/fault/kill/history.h"
#include "tests/fault/kill/scenario.h"

namespace kleptometrics::fault {

using Runs = std::map<Uuid, aggregator::Run>;

// Ends the aggregator, then reads all that its database holds (`database` where that is not its own). Adds to `faults`
// if it does not end well, if SQLite or the aggregator (--verify_store) finds fault with the file, if a run is there
// twice, or if a rule of the model is broken by one.
Runs stored_by(tests::Daemon& daemon, Faults& faults, const std::string& database = {});

// Compares what is stored of a past run with the run that was recorded.
void compare(const aggregator::Run& stored, const PastRun& recorded, Faults& faults);

// Gives the same runs to an aggregator that nobody disturbs, and asks both for the statistics of the history's jobs: of
// all time, of a part of it, by hour and by day.
// Numbers may differ by 1e-9 of themselves, as sums of doubles in another order do.
void compare_statistics(const tests::Daemon& daemon, const std::vector<PastRun>& recorded, Faults& faults);

// Waits until at most `left` journals are in a spool: what dead programs left there is adopted.
void await_adoption(const std::string& spool, std::size_t left, Faults& faults);

}  // namespace kleptometrics::fault
