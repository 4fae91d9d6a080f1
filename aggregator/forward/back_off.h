// How long to wait before the next try: longer with every one that fails, and never quite as long as others do, so that
// many who lost the same peer do not come back to it at one instant. Pure but for its state; one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

class BackOff {
 public:
  static constexpr Nanos kShortest = kNanosPerSecond / 10, kLongest = 30 * kNanosPerSecond;

  explicit BackOff(std::uint64_t seed) : random_(seed) {}

  // Between half a step and a step, each step twice the one before.
  Nanos next() {
    const Nanos wait = std::uniform_int_distribution<Nanos>(step_ / 2, step_)(random_);
    step_ = std::min(2 * step_, kLongest);
    return wait;
  }
  void reset() { step_ = 2 * kShortest; }

 private:
  std::mt19937_64 random_;
  Nanos step_ = 2 * kShortest;
};

}  // namespace kleptometrics::aggregator
