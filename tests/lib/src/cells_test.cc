#include "lib/src/cells.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/fakes/clock.h"
#include "tests/support/catch.h"

using kleptometrics::fakes::FakeClock;
using kleptometrics::internal::StepNode;
using kleptometrics::internal::StepTotals;

TEST_CASE("A step that never ran has empty totals") {
  const FakeClock clock;
  const StepNode node(nullptr, "load", clock);
  const StepTotals totals = node.totals();
  CHECK(totals.count == 0);
  CHECK(totals.min == 0);
  CHECK(totals.sketch.count() == 0);
}

TEST_CASE("Executions are added up with their extremes and distribution") {
  const FakeClock clock;
  StepNode node(nullptr, "load", clock);
  for (const std::uint64_t duration : {0U, 1U, 1000U, 5U}) node.cell()->add(duration, duration == 5U);
  node.cell()->add(UINT64_MAX / 4, false);
  const StepTotals totals = node.totals();
  CHECK(totals.count == 5);
  CHECK(totals.failed == 1);
  CHECK(totals.min == 0);
  CHECK(totals.max == UINT64_MAX / 4);
  CHECK(totals.total == UINT64_MAX / 4 + 1006);
  CHECK(totals.sketch.count() == 5);
  CHECK(totals.sketch.zero_count() == 1);
}

TEST_CASE("A thread keeps its cell, however many steps it uses") {
  const FakeClock clock;
  std::vector<std::unique_ptr<StepNode>> nodes;
  for (int i = 0; i < 200; ++i) nodes.push_back(std::make_unique<StepNode>(nullptr, "s", clock));
  for (int round = 0; round < 3; ++round)
    for (const auto& node : nodes) node->cell()->add(10, false);
  for (const auto& node : nodes) CHECK(node->totals().count == 3);
}

TEST_CASE("Threads add at once, a reader sees valid totals meanwhile and exact ones afterwards") {
  const FakeClock clock;
  StepNode node(nullptr, "price", clock);
  constexpr int kThreads = 4;
  constexpr std::uint64_t kTimes = 20'000;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 1; i <= kTimes; ++i) node.cell()->add(i, i % 10 == 0);
      --running;
    });
  bool valid = true;
  while (running != 0) {
    const StepTotals seen = node.totals();
    valid = valid && seen.sketch.count() == seen.count && seen.failed <= seen.count && seen.max <= seen.total &&
            (seen.count == 0 || seen.min <= seen.max);
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(valid);
  const StepTotals totals = node.totals();
  CHECK(totals.count == kThreads * kTimes);
  CHECK(totals.failed == kThreads * kTimes / 10);
  CHECK(totals.total == kThreads * kTimes * (kTimes + 1) / 2);
  CHECK(totals.min == 1);
  CHECK(totals.max == kTimes);
}
