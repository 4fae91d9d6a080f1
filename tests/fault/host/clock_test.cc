// R15: the wall clock steps a day ahead and a day back while a program records. Steps of the clock are made by the
// preloaded shim, in the program, as its own C library would tell them.
#include <sstream>

#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

constexpr int kRuns = 100;

TEST_CASE("R15: the wall clock steps a day both ways, 20 times and more: lengths of time are right") {
  const int runs = scaled(kRuns);
  const tests::TempDir spool;
  const ShimReport report;
  const auto environment = together(report.environment("none", 0, "EIO"), {"KLEPTO_FAULT_WALL=5"});
  Victim victim({KLEPTO_VICTIM, "clock", std::to_string(runs)}, together(reports_to(spool.path()), environment));
  const int status = victim.wait();
  CAPTURE(runs, victim.output());
  REQUIRE(described(status) == "exit code 0");
  REQUIRE(report->jumps >= 20);

  const Left left = left_in(spool.path());
  REQUIRE(left.damaged == 0);
  REQUIRE(left.runs.size() == static_cast<std::size_t>(runs));
  std::istringstream said(victim.output());
  std::vector<std::pair<std::int64_t, std::int64_t>> bounds;
  for (std::int64_t least = 0, most = 0; said >> least >> most;) bounds.emplace_back(least, most);
  REQUIRE(bounds.size() == left.runs.size());
  for (const fakes::PushedRun& run : left.runs) {
    const auto& [least, most] = bounds.at(std::stoul(run.labels.at(0).second));
    CAPTURE(run.labels.at(0).second, least, most);
    REQUIRE(run.run.state() == v1::STATE_SUCCEEDED);
    CHECK(run.run.duration_ns() >= least);
    CHECK(run.run.duration_ns() <= most);
    CHECK(run.run.finished_at_ns() >= run.run.started_at_ns());
    CHECK(run.steps.at(0).second.total_ns() >= 199'000);  // by the processor's counter, measured to two parts in 1,000
    CHECK(run.steps.at(0).second.total_ns() <= static_cast<std::uint64_t>(most + most / 500));
  }
}

}  // namespace
}  // namespace kleptometrics::fault
