#include "lib/src/ticks.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <string_view>

#include "lib/base/fork.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kleptometrics::internal::ticks {
namespace {

bool is_invariant() noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return ::__get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d >> 8U & 1U) != 0;
#else
  return false;
#endif
}

bool kernel_trusts_it() noexcept {
  const int fd = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 16> text{};
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  return size > 0 && std::string_view(text.data(), static_cast<std::size_t>(size)) == "tsc\n";
}

}  // namespace

bool usable() noexcept { return is_invariant() && kernel_trusts_it(); }

// Of three tries the one that took least: then the two clocks were read closest together.
Calibration::Look Calibration::take(const Clock& steady_clock) noexcept {
  Look best;
  std::uint64_t best_gap = UINT64_MAX;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = now();
    const Nanos steady = steady_clock.steady();
    const std::uint64_t gap = now() - before;
    if (gap >= best_gap) continue;
    best_gap = gap;
    best = {before + gap / 2, steady};
  }
  return best;
}

bool Calibration::agrees(const Look& look) const noexcept {
  const auto real = static_cast<double>(look.steady - last_.steady);
  const double said = look.ticks > last_.ticks ? static_cast<double>(to_nanos(look.ticks - last_.ticks)) : 0;
  return std::abs(said - real) <= real * kDisagreement + 100'000;  // and what a thread may be held up within take()
}

void Calibration::look(const Clock& steady_clock) noexcept {
  const std::uint64_t here = fork_generation();
  if (busy_in_.exchange(here, std::memory_order_acquire) == here) return;
  look_alone(steady_clock);
  busy_in_.store(0, std::memory_order_release);
}

void Calibration::look_alone(const Clock& steady_clock) noexcept {
  if (state_ == State::kGivenUp) return;
  if (state_ == State::kNew) {
    state_ = usable() ? State::kMeasuring : State::kGivenUp;
    first_ = last_ = take(steady_clock);
  } else {
    const Look look = take(steady_clock);
    const Nanos span = look.steady - first_.steady;
    // The kernel may change its mind; asking is a system call or three.
    const bool distrusted = ++looks_ % kLooksBetweenAsking == 0 && !kernel_trusts_it();
    if (distrusted || (state_ == State::kTrusted && !agrees(look))) {
      state_ = State::kGivenUp;
      trusted.store(false, std::memory_order_relaxed);
    } else if (span >= kFirstSpan && look.ticks > first_.ticks) {
      const double rate = static_cast<double>(span) / static_cast<double>(look.ticks - first_.ticks);
      if (rate >= kRateMax) {
        state_ = State::kGivenUp;
        return;
      }
      nanos_per_tick.store(static_cast<std::uint64_t>(rate * 4294967296.0), std::memory_order_relaxed);
      last_ = look;
      state_ = State::kTrusted;
      trusted.store(true, std::memory_order_release);
    }
  }
}

Calibration& calibration() noexcept {
  static constinit Calibration one;
  return one;
}

}  // namespace kleptometrics::internal::ticks
