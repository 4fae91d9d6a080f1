// What two stores answer differently: the one that was treated badly, and one that holds in memory what it is to hold.
#pragma once

#include <map>
#include <string>

#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "lib/base/uuid.h"
#include "tests/fault/kill/scenario.h"

namespace kleptometrics::fault {

using StoredRuns = std::map<Uuid, aggregator::Run>;
// All runs of a store. A run that is there twice, or a store that cannot be read, is a fault.
StoredRuns runs_of(aggregator::Store& store, Faults& faults);

// Sums of every series by hour, day and of all time, sketches to the last bit, numbers that are no times within 1e-9.
void compare_sums(aggregator::Store& store, aggregator::Store& model, Faults& faults);
// Heads of jobs, and the instants from which on they are complete.
void compare_heads(aggregator::Store& store, aggregator::Store& model, Faults& faults);
// What the store finds wrong with itself.
void verify(aggregator::Store& store, Faults& faults);
// What SQLite finds wrong with the file, through its VFS `vfs` (empty: the system's).
void check_integrity(const std::string& path, const std::string& vfs, Faults& faults);

}  // namespace kleptometrics::fault
