// What no aggregator of this kind can do without, on one thread of this machine: for every batch decode it, put each
// run's duration into three sketches, append the batch to a file and wait until the disk has it. The yardstick of the
// load: rates change with the machine and the minute, the ratio to this one hardly.
#pragma once

#include <cstddef>
#include <string>

#include "tests/bench/history.h"

namespace kleptometrics::bench {

struct Floor {
  double rate = 0;                 // runs a second
  double decode_nanos = 0;         // and sketches, a run
  double append_microseconds = 0;  // and fdatasync, a batch: the mean
  double append_median = 0;        // the same, the median: far below the mean where others use the disk
};

// Over at least `seconds`, with batches of so many runs. The file is made in `dir`, which should be on
// the disk that the aggregator writes to, and removed. Throws std::runtime_error where the disk refuses.
Floor measure_floor(const History& history, std::size_t batch, const std::string& dir, double seconds);

}  // namespace kleptometrics::bench
