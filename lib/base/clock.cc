#include "lib/base/clock.h"

namespace kleptometrics {
namespace {

class SystemClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    return {static_cast<Nanos>(wall.tv_sec) * kNanosPerSecond + wall.tv_nsec, system_steady()};
  }
  Nanos steady() const noexcept override { return system_steady(); }
};

}  // namespace

const Clock& system_clock() noexcept {
  // Constant-initialised and trivially destroyed: a job may record before and after every static object.
  static constexpr SystemClock clock;
  return clock;
}

}  // namespace kleptometrics
