// What no aggregator of this kind can do without, on one thread of this machine: for every batch decode it, put each
// run's duration into three sketches, append the batch to a file and wait until the disk has it. The yardstick of the
// load: rates change with the machine and the minute, the ratio to this one hardly.
#pragma once

#include <cstddef>
#include <string>

#include "tests/bench/history.h"

namespace kleptometrics::bench {

// Runs a second, over at least `seconds`, with batches of so many runs. The file is made in `dir`, which should be on
// the disk that the aggregator writes to, and removed. Throws std::runtime_error where the disk refuses.
double floor_rate(const History& history, std::size_t batch, const std::string& dir, double seconds);

}  // namespace kleptometrics::bench
