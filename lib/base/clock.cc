#include "lib/base/clock.h"

#include <chrono>

namespace kleptometrics {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

class SystemClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    return {duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(), steady()};
  }
  Nanos steady() const noexcept override {
    return duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

}  // namespace

const Clock& system_clock() noexcept {
  // Constant-initialised and trivially destroyed: a job may record before and after every static object.
  static constexpr SystemClock clock;
  return clock;
}

}  // namespace kleptometrics
