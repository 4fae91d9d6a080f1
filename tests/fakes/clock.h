// A clock whose hands a test turns.
#pragma once

#include <atomic>

#include "lib/base/clock.h"

namespace kleptometrics::fakes {

struct FakeClock final : Clock {
  std::atomic<Nanos> wall{1'700'000'000 * kNanosPerSecond};
  std::atomic<Nanos> steady{1'000 * kNanosPerSecond};

  TimePoint now() const noexcept override { return {wall, steady}; }
  void advance(Nanos by) {
    wall += by;
    steady += by;
  }
};

}  // namespace kleptometrics::fakes
