// R12: signals at 10 kHz on the thread that records.
#include <sstream>

#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

std::uint64_t executions(const fakes::PushedRun& run, const std::string& step) {
  for (const auto& [name, found] : run.steps)
    if (name == step) return found.count();
  return 0;
}

void let_it_rain(int signals, const std::string& how) {
  const tests::TempDir spool;
  Victim victim({KLEPTO_VICTIM, "rain", std::to_string(signals), how}, reports_to(spool.path()));
  const int status = victim.wait(std::chrono::seconds(200));
  CAPTURE(signals, how, victim.output());
  REQUIRE(described(status) == "exit code 0");
  std::istringstream said(victim.output());
  std::uint64_t caught = 0, rounds = 0, count = 0, clients = 0;
  said >> caught >> rounds >> count >> clients;
  CHECK(caught >= static_cast<std::uint64_t>(signals));

  const Left left = left_in(spool.path());
  CHECK(left.damaged == 0);
  REQUIRE(left.of("rain").size() == 1);
  const fakes::PushedRun run = left.of("rain")[0];
  CHECK(run.run.state() == v1::STATE_SUCCEEDED);
  CHECK(executions(run, "timer") == count);
  CHECK(executions(run, "step") == count);
  CHECK(run.counters.at(0).second == static_cast<double>(count));
  CHECK(run.labels.at(0).second == std::to_string(rounds - 1));
  CHECK(left.of("brief").size() == (rounds + 9) / 10);
  for (const auto& brief : left.of("brief")) CHECK(brief.run.state() == v1::STATE_SUCCEEDED);
  CHECK(clients >= 1);
  CHECK(left.of("own").size() == clients);
}

TEST_CASE("R12: 50000 signals at 10 kHz that interrupt system calls: no deadlock, no torn record") {
  let_it_rain(scaled(50'000), "interrupt");
}
TEST_CASE("R12: 50000 signals at 10 kHz whose system calls are restarted: no deadlock, no torn record") {
  let_it_rain(scaled(50'000), "restart");
}

}  // namespace
}  // namespace kleptometrics::fault
