// What a step of a run comes to: all its executions added up.
#pragma once

#include <cstdint>
#include <utility>

#include "lib/sketch/sketch.h"

namespace kleptometrics::cells {

// Times in nanoseconds.
struct StepTotals {
  std::uint64_t count = 0, failed = 0, total = 0;
  std::uint64_t min = 0, max = 0;  // 0 while count is 0
  std::uint64_t lost = 0;          // executions not in `count`, for want of memory
  Sketch sketch;                   // of `count` values

  // Adds the executions of another thread.
  void add(StepTotals other) {
    if (count == 0) {
      other.lost += lost;
      *this = std::move(other);
      return;
    }
    lost += other.lost;
    if (other.count == 0) return;
    min = other.min < min ? other.min : min;
    max = other.max > max ? other.max : max;
    count += other.count;
    failed += other.failed;
    total += other.total;
    sketch.merge(other.sketch);
  }
};

}  // namespace kleptometrics::cells
