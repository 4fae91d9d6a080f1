// The processor's time-stamp counter as a steady clock: a third of the price, where it can be trusted. Until the worker
// has measured it against the steady clock, and where it is not to be trusted, stopwatches run on the steady clock.
//
// Trusted: the processor says that it runs at one rate in all states (Intel SDM vol. 3B, 18.17.1 "Invariant TSC"; AMD
// APM vol. 3, CPUID Fn8000_0007), and the kernel keeps its own time by it, which it does only where the counters of all
// cores agree.
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/base/clock.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace kleptometrics::internal::ticks {

// Any thread may read them; Calibration writes.
inline std::atomic<bool> trusted{false};
inline std::atomic<std::uint64_t> nanos_per_tick{0};  // times 2^32

inline std::uint64_t now() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return 0;
#endif
}

// `ticks`: a difference of two now() of which the first was not before the counter was trusted.
inline std::uint64_t to_nanos(std::uint64_t ticks) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(ticks) * nanos_per_tick.load(std::memory_order_relaxed)) >> 32U);
}

// The same in half the time, of less than kShort ticks (some tenths of a second).
inline constexpr std::uint64_t kShort = std::uint64_t{1} << 31U;
inline std::uint64_t short_to_nanos(std::uint64_t ticks) noexcept {
  return ticks * nanos_per_tick.load(std::memory_order_relaxed) >> 32U;
}

// Reads what processor and kernel say; a few system calls. True: worth measuring.
bool usable() noexcept;

// Measures the counter against a steady clock, better the longer it looks, and gives up for good if the two ever
// disagree (a machine that was suspended, or moved while it ran). One for the program; whoever comes second to look at
// the same time goes on without.
class Calibration {
 public:
  static constexpr Nanos kFirstSpan = 10'000'000;  // of two looks that give a rate: an error below 10^-5
  static constexpr double kDisagreement = 0.002;   // of a span between two looks

  void look(const Clock& steady_clock) noexcept;

 private:
  struct Look {
    std::uint64_t ticks = 0;
    Nanos steady = 0;
  };
  static Look take(const Clock& steady_clock) noexcept;
  bool agrees(const Look& look) const noexcept;
  void look_alone(const Clock& steady_clock) noexcept;

  static constexpr std::uint64_t kLooksBetweenAsking = 512;  // about a minute
  static constexpr double kRateMax = 2;  // nanoseconds a tick: what short_to_nanos() can reckon with

  std::atomic<std::uint64_t> busy_in_{0};  // generation of the process in which somebody looks; 0: nobody
  std::uint64_t looks_ = 0;
  enum class State { kNew, kMeasuring, kTrusted, kGivenUp } state_ = State::kNew;
  Look first_, last_;
};
Calibration& calibration() noexcept;

}  // namespace kleptometrics::internal::ticks

namespace kleptometrics::internal {

// What an execution is timed by, from its begin to its end.
enum class ClockKind : unsigned char {
  kSteady,  // of the system
  kTicks,   // of the processor
  kGiven,   // the client's, in a test
};

// `given`: null for the system's.
inline ClockKind clock_kind(const Clock* given) noexcept {
  if (given != nullptr) return ClockKind::kGiven;
  return ticks::trusted.load(std::memory_order_acquire) ? ClockKind::kTicks : ClockKind::kSteady;
}

inline std::uint64_t read_clock(ClockKind kind, const Clock* given) noexcept {
  if (kind == ClockKind::kTicks) return ticks::now();
  return static_cast<std::uint64_t>(kind == ClockKind::kSteady ? system_steady() : given->steady());
}

// Nanoseconds between two readings, never negative: the counters of two cores may differ by a few ticks.
inline std::uint64_t elapsed_nanos(ClockKind kind, std::uint64_t begin, std::uint64_t end) noexcept {
  const std::uint64_t passed = end > begin ? end - begin : 0;
  return kind == ClockKind::kTicks ? ticks::to_nanos(passed) : passed;
}

}  // namespace kleptometrics::internal
