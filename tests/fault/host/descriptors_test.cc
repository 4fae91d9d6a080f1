// R14, the program's half: no file descriptor is left, before its first run or while it runs.
#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

using tests::Json;

void use_up(const std::string& when, const std::vector<std::pair<std::string, int>>& runs) {
  const tests::Daemon daemon;
  Victim victim({KLEPTO_VICTIM, "descriptors-" + when}, together(reports_to({}), daemon.environment()));
  const int status = victim.wait(std::chrono::seconds(100));
  CAPTURE(when, victim.output());
  REQUIRE(described(status) == "exit code 3");
  REQUIRE(victim.output() == "done");
  for (const auto& [job, count] : runs) {
    CAPTURE(job, count);
    const auto has_all = [n = count](const Json& stats) { return stats.at("count") == n; };
    CHECK(has_all(daemon.eventually("/api/v1/jobs/" + job + "/stats", has_all)));
  }
}

TEST_CASE("R14: all descriptors used up before the first run: its runs are delivered once there are some again") {
  use_up("before", {{"before", 1}});
}
TEST_CASE("R14: all descriptors used up while running: nothing is lost") {
  use_up("meanwhile", {{"first", 1}, {"meanwhile", 20}});
}
TEST_CASE("R14: all descriptors used up to the end: the journal is kept for the aggregator") {
  use_up("for-good", {{"outer", 1}, {"for-good", 1}});
}

// Pushes went out through the host's sockets, which were then closed.
TEST_CASE("R14: a host that closes all descriptors keeps those it opens then to itself") {
  use_up("closed", {{"closed", 4}});
}

}  // namespace
}  // namespace kleptometrics::fault
