// The one place that asks the system for the time. Everything else is handed a Clock, so that a test can
// turn the hands. Shared by the client library and the aggregator.
#pragma once

#include <cstdint>
#include <ctime>

namespace kleptometrics {

// Nanoseconds: an instant since 1970-01-01T00:00:00Z, or a length of time. Good until the year 2262.
using Nanos = std::int64_t;

inline constexpr Nanos kNanosPerSecond = 1'000'000'000;

// An instant in both clocks: wall for *when*, steady for *how long*. Steady values have no meaning
// across reboots and never leave the process.
struct TimePoint {
  Nanos wall = 0;
  Nanos steady = 0;
};

// Any thread may call it; it never fails, never blocks and never allocates.
class Clock {
 public:
  virtual TimePoint now() const noexcept = 0;
  virtual Nanos steady() const noexcept { return now().steady; }  // half the price

 protected:
  ~Clock() = default;  // never owned through the interface
};

// CLOCK_MONOTONIC, without the way round by a Clock: for stopwatches alone.
inline Nanos system_steady() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanos>(time.tv_sec) * kNanosPerSecond + time.tv_nsec;
}

// The machine's CLOCK_REALTIME and CLOCK_MONOTONIC. Never destroyed.
const Clock& system_clock() noexcept;

}  // namespace kleptometrics
