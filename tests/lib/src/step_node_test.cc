#include "lib/src/step_node.h"

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "lib/base/fork.h"
#include "lib/src/process.h"
#include "tests/fakes/clock.h"
#include "tests/support/catch.h"

namespace kleptometrics::internal {
namespace {

struct Steps {
  Steps() { prepare_process(); }
  std::unique_ptr<StepNode> node(const std::string& path) {
    return std::make_unique<StepNode>(nullptr, path, StepHome{clock, *journal, run, fork_generation()});
  }

  const fakes::FakeClock clock;
  const Uuid run{{7}};
  const std::unique_ptr<journal::Writer> journal = journal::Writer::open({}, nullptr);
};

TEST_CASE("a thread keeps its cell, however many steps it uses") {
  Steps steps;
  std::vector<std::unique_ptr<StepNode>> nodes;
  for (int i = 0; i < 200; ++i) nodes.push_back(steps.node("s"));
  for (int round = 0; round < 3; ++round)
    for (const auto& node : nodes) node->cell()->cell.add(10, false);
  for (const auto& node : nodes) CHECK(node->totals().count == 3);
}

TEST_CASE("threads that add at once have cells of their own, and all is counted") {
  Steps steps;
  const auto node = steps.node("price");
  constexpr int kThreads = 4;
  constexpr std::uint64_t kTimes = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 1; i <= kTimes; ++i) node->cell()->cell.add(i, i % 10 == 0);
    });
  for (std::thread& thread : threads) thread.join();
  const cells::StepTotals totals = node->totals();
  CHECK(totals.count == kThreads * kTimes);
  CHECK(totals.failed == kThreads * kTimes / 10);
  CHECK(totals.total == kThreads * kTimes * (kTimes + 1) / 2);
  CHECK(totals.min == 1);
  CHECK(totals.max == kTimes);
}

TEST_CASE("a thread that has ended leaves its cell to the next one") {
  Steps steps;
  const auto node = steps.node("price");
  std::vector<ThreadCell*> used;
  for (int t = 0; t < 1000; ++t)
    std::thread([&] {
      ThreadCell* const cell = node->cell();
      cell->cell.add(1, false);
      if (used.empty() || used.back() != cell) used.push_back(cell);
    }).join();
  CHECK(node->totals().count == 1000);
  CHECK(used.size() == 1);
}

TEST_CASE("threads that come and go at once lose nothing") {
  Steps steps;
  const auto node = steps.node("price");
  std::vector<std::thread> owners;
  for (int t = 0; t < 4; ++t)
    owners.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        std::thread([&] {
          for (int j = 0; j < 50; ++j) node->cell()->cell.add(1, false);
        }).join();
    });
  for (std::thread& owner : owners) owner.join();
  CHECK(node->totals().count == 4 * 200 * 50);
}

}  // namespace
}  // namespace kleptometrics::internal
