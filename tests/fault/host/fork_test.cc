// R10: a program forks from eight threads that record: no hang, children have runs of their own, the parent keeps its.
#include <set>
#include <string>

#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

// Not under ThreadSanitizer, which does not let a child of several threads start new ones; nor under AddressSanitizer,
// whose allocator's locks a child inherits as they are.
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
namespace kleptometrics::fault {
namespace {

using tests::Json;

// Pages through all runs of a job, in a set of what `field` says of each.
std::set<std::string> all_of(const tests::Daemon& daemon, const std::string& job, const std::string& field) {
  std::set<std::string> out;
  std::string page = "/api/v1/jobs/" + job + "/runs?limit=1000";
  for (std::string token; !page.empty();) {
    const Json answer = daemon.json(page + token);
    for (const Json& run : answer.at("runs")) out.insert(run.at(field).dump());
    if (!answer.contains("next_page_token")) break;
    token = "&page_token=" + answer["next_page_token"].get<std::string>();
  }
  return out;
}

TEST_CASE("R10: 500 forks, fork + exec and daemon() from eight threads that record at once") {
  const int forks = scaled(500);
  const tests::Daemon daemon;
  Victim victim({KLEPTO_VICTIM, "forks", std::to_string(forks)}, daemon.environment());
  const int status = victim.wait(std::chrono::seconds(240));
  CAPTURE(forks, victim.output());
  REQUIRE(described(status) == "exit code 0");

  const auto has_all = [&](const Json& stats) { return stats.at("count") == forks; };
  const Json children = daemon.eventually("/api/v1/jobs/child/stats", has_all);
  CHECK(children.at("count") == forks);
  CHECK(all_of(daemon, "child", "id").size() == static_cast<std::size_t>(forks));
  CHECK(all_of(daemon, "child", "state") == std::set<std::string>{"\"succeeded\""});

  const Json parents = daemon.eventually("/api/v1/jobs/parent/stats", has_all);
  CHECK(parents.at("count") == std::stoi(victim.output()));
  CHECK(all_of(daemon, "parent", "pid").size() == 1);
  CHECK(all_of(daemon, "parent", "state") == std::set<std::string>{"\"succeeded\""});
  const Json rows = daemon.json("/api/v1/jobs/parent/stats?measure=counter:rows");
  CHECK(rows.at("min") == 2000);
  CHECK(rows.at("max") == 2000);
  const Json run = daemon.json("/api/v1/jobs/parent/runs?limit=1").at("runs").at(0);
  const Json whole = daemon.json("/api/v1/runs/" + run.at("id").get<std::string>());
  CHECK(whole.at("steps").at(0).at("count") == 2000);
}

}  // namespace
}  // namespace kleptometrics::fault
#endif
