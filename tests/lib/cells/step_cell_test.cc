#include "lib/cells/step_cell.h"

#include <atomic>
#include <memory>
#include <thread>

#include "tests/lib/journal/spool.h"
#include "tests/support/catch.h"

namespace kleptometrics::cells {
namespace {

constexpr Uuid kRun{{1, 2, 3}};

std::unique_ptr<journal::Writer> memory(std::size_t bytes = 1U << 20U) {
  journal::Writer::Options options;
  options.bytes = bytes;
  return journal::Writer::open(options, nullptr);
}

TEST_CASE("a cell that was never added to has empty totals") {
  const auto journal = memory();
  const StepCell cell(*journal, kRun, "load", 1);
  const StepTotals totals = cell.totals();
  CHECK(cell.in_journal());
  CHECK(totals.count == 0);
  CHECK(totals.min == 0);
  CHECK(totals.sketch.count() == 0);
}

TEST_CASE("executions are added up with their extremes and distribution") {
  const auto journal = memory();
  StepCell cell(*journal, kRun, "load", 1);
  for (const std::uint64_t duration : {0U, 1U, 1000U, 5U}) cell.add(duration, duration == 5U);
  cell.add(Sealed::kValueMax / 4, false);
  const StepTotals totals = cell.totals();
  CHECK(totals.count == 5);
  CHECK(totals.failed == 1);
  CHECK(totals.min == 0);
  CHECK(totals.max == Sealed::kValueMax / 4);
  CHECK(totals.total == Sealed::kValueMax / 4 + 1006);
  CHECK(totals.sketch.count() == 5);
  CHECK(totals.sketch.zero_count() == 1);
}

TEST_CASE("the distribution is that of a sketch given the same values, over all octaves") {
  const auto journal = memory();
  StepCell cell(*journal, kRun, "load", 1);
  Sketch expected;
  for (std::uint64_t value = 1; value < Sealed::kValueMax; value += value / 100 + 1) {
    cell.add(value, false);
    expected.add(value);
  }
  for (const std::uint64_t value : {std::uint64_t{0}, Sealed::kValueMax, UINT64_MAX}) {
    cell.add(value, false);
    value == 0 ? expected.add_zero(1) : expected.add(Sealed::kValueMax);
  }
  CHECK(cell.totals().sketch == expected);
}

TEST_CASE("totals are exact whatever number of executions is not folded yet") {
  const auto journal = memory();
  StepCell cell(*journal, kRun, "load", 1);
  std::uint64_t total = 0;
  for (std::uint64_t i = 1; i <= 5 * StepArea::kRecent + 3; ++i) {
    cell.add(1000 + i, i % 4 == 0);
    total += 1000 + i;
    const StepTotals totals = cell.totals();
    REQUIRE(totals.count == i);
    REQUIRE(totals.failed == i / 4);
    REQUIRE(totals.total == total);
    REQUIRE(totals.min == 1001);
    REQUIRE(totals.max == 1000 + i);
    REQUIRE(totals.sketch.count() == i);
  }
}

TEST_CASE("a cell that has a table gets a larger one before it is full, and loses nothing on the way") {
  const auto journal = memory();
  StepCell cell(*journal, kRun, "load", 1);
  cell.prepare();
  Sketch expected;
  for (std::uint64_t value = 1; value < 100'000'000; value += value / 90 + 1) {
    for (std::size_t i = 0; i < StepArea::kRecent; ++i) {
      cell.add(value, false);
      expected.add(value);
    }
    cell.make_room();
  }
  CHECK(cell.totals().sketch == expected);
  CHECK(cell.totals().lost == 0);
}

TEST_CASE("where the journal has no room a cell lies in memory, and a cell gives its room back") {
  const auto journal = memory(64U << 10U);
  for (int round = 0; round < 100; ++round) {
    StepCell cell(*journal, kRun, "load", 1);
    CHECK(cell.in_journal());
    for (std::uint64_t value = 1; value <= Sealed::kValueMax; value *= 2) cell.add(value, false);
    CHECK(cell.totals().count == 55);
  }
  std::vector<std::unique_ptr<StepCell>> cells;
  for (std::uint64_t i = 0; i < 200; ++i) cells.push_back(std::make_unique<StepCell>(*journal, kRun, "load", i));
  CHECK_FALSE(cells.back()->in_journal());
  cells.back()->add(7, true);
  CHECK(cells.back()->totals().count == 1);
  CHECK(cells.back()->totals().failed == 1);
}

TEST_CASE("a thread adds as fast as it can, a reader sees ever more that fits together, and all of it afterwards") {
  const auto journal = memory();
  StepCell cell(*journal, kRun, "price", 1);
  cell.prepare();
  constexpr std::uint64_t kTimes = 3'000'000;
  const auto duration = [](std::uint64_t i) { return i * 7'919 % (std::uint64_t{1} << (i % 20)) + 1; };
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kTimes; ++i) cell.add(duration(i), i % 10 == 0);
    done = true;
  });
  bool fits = true;
  std::uint64_t last = 0;
  while (!done) {
    cell.make_room();
    const StepTotals seen = cell.totals();
    fits = fits && seen.count >= last && seen.sketch.count() == seen.count && seen.failed == (seen.count + 9) / 10 &&
           seen.max <= seen.total && seen.min <= seen.max;
    last = seen.count;
  }
  writer.join();
  CHECK(fits);
  CHECK(last > 0);
  Sketch expected;
  for (std::uint64_t i = 0; i < kTimes; ++i) expected.add(duration(i));
  const StepTotals totals = cell.totals();
  CHECK(totals.count == kTimes);
  CHECK(totals.failed == kTimes / 10);
  CHECK(totals.sketch == expected);
}

}  // namespace
}  // namespace kleptometrics::cells
