// The processor's counter as a clock. What depends on the machine is checked only where the counter can be trusted.
#include "lib/src/ticks.h"

#include <cstdlib>

#include "tests/fakes/clock.h"
#include "tests/support/catch.h"

namespace kleptometrics::internal {
namespace {

// A steady clock that runs with the counter, at a rate and with jumps that a test gives it.
struct CounterClock final : Clock {
  double nanos_per_tick = 0.5;
  Nanos ahead = 0;
  TimePoint now() const noexcept override { return {0, steady()}; }
  Nanos steady() const noexcept override {
    return static_cast<Nanos>(static_cast<double>(ticks::now()) * nanos_per_tick) + ahead;
  }
};

// Leaves the program's own calibration as it was.
struct TicksFixture {
  ~TicksFixture() {
    ticks::trusted.store(trusted);
    ticks::nanos_per_tick.store(rate);
  }
  void wait_ticks(std::uint64_t count) const {
    const std::uint64_t begin = ticks::now();
    while (ticks::now() - begin < count) {
    }
  }
  const bool trusted = ticks::trusted.exchange(false);
  const std::uint64_t rate = ticks::nanos_per_tick.load();
  CounterClock clock;
  ticks::Calibration calibration;
};

bool usable() {
  if (!ticks::usable()) WARN("SKIPPED: no processor clock to be trusted on this machine");
  return ticks::usable();
}

TEST_CASE("the counter is trusted only once it was measured, and then tells the time") {
  if (!usable()) return;
  TicksFixture f;
  f.calibration.look(f.clock);
  CHECK_FALSE(ticks::trusted);
  f.wait_ticks(30'000'000);
  f.calibration.look(f.clock);
  REQUIRE(ticks::trusted);
  CHECK(ticks::to_nanos(1'000'000'000) == Approx(500'000'000).epsilon(1e-4));
  CHECK(ticks::short_to_nanos(1'000'000'000) == ticks::to_nanos(1'000'000'000));
  CHECK(ticks::short_to_nanos(ticks::kShort - 1) == ticks::to_nanos(ticks::kShort - 1));
  CHECK(ticks::to_nanos(0) == 0);
}

TEST_CASE("a counter that disagrees with the steady clock is given up for good") {
  if (!usable()) return;
  TicksFixture f;
  f.calibration.look(f.clock);
  f.wait_ticks(30'000'000);
  f.calibration.look(f.clock);
  REQUIRE(ticks::trusted);
  f.clock.ahead = 3'600 * kNanosPerSecond;  // as after the machine was suspended
  f.calibration.look(f.clock);
  CHECK_FALSE(ticks::trusted);
  f.wait_ticks(30'000'000);
  f.calibration.look(f.clock);
  CHECK_FALSE(ticks::trusted);
}

TEST_CASE("a time is never negative, whichever clock told it") {
  CHECK(elapsed_nanos(ClockKind::kTicks, 100, 99) == 0);
  CHECK(elapsed_nanos(ClockKind::kSteady, 100, 99) == 0);
  CHECK(elapsed_nanos(ClockKind::kSteady, 99, 100) == 1);
}

TEST_CASE("a given clock is asked, whatever the counter says") {
  const TicksFixture f;
  fakes::FakeClock given;
  CHECK(clock_kind(&given) == ClockKind::kGiven);
  CHECK(read_clock(ClockKind::kGiven, &given) == static_cast<std::uint64_t>(given.steady.load()));
  CHECK(clock_kind(nullptr) == ClockKind::kSteady);
}

}  // namespace
}  // namespace kleptometrics::internal
