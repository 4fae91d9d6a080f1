// How long runs of a job usually take, as others have learned it: what JobWatch is told beside the specification.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/clock.h"

namespace kleptometrics::aggregator::rules {

// The newest runs took longer, one and all.
struct Shift {
  Nanos median = 0, median_before = 0;
  std::uint64_t runs = 0, runs_before = 0;
  bool operator==(const Shift&) const = default;
};

// Absent: not known yet.
struct Limits {
  std::optional<Nanos> too_long{};   // a run that takes longer is slower than usual
  std::optional<Nanos> too_short{};  // one that succeeds sooner is too short
  Nanos typical = 0;                 // the median, for the sentence
  std::uint64_t runs = 0;            // of how many runs, likewise
  std::optional<Shift> shift{};      // absent: the newest are as those before
  bool operator==(const Limits&) const = default;
};

}  // namespace kleptometrics::aggregator::rules
