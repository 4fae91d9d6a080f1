// R11: however a program ends, it ends as it would have without us, and each of its runs is found in the state that the
// header promises: 50 times each from the journal left behind, and once each as the aggregator reports it.
#include <sys/wait.h>

#include <csignal>

#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

struct Ending {
  const char* scenario;
  int exit_code;  // -1: by a signal
  int signal;
  v1::State state;       // of the run that bears its name, as found in the journal
  const char* reported;  // as the aggregator concludes
};

constexpr Ending kEndings[] = {
    {"return", 0, 0, v1::STATE_SUCCEEDED, "succeeded"},
    {"exit", 0, 0, v1::STATE_SUCCEEDED, "succeeded"},
    {"exit-3", 3, 0, v1::STATE_FAILED, "failed"},
    {"quick-exit", 4, 0, v1::STATE_RUNNING, "crashed"},
    {"leave", 5, 0, v1::STATE_RUNNING, "crashed"},
    {"abort", -1, SIGABRT, v1::STATE_RUNNING, "crashed"},
    {"terminate", -1, SIGTERM, v1::STATE_RUNNING, "crashed"},
    {"kill", -1, SIGKILL, v1::STATE_RUNNING, "crashed"},
    {"fault", -1, SIGSEGV, v1::STATE_RUNNING, "crashed"},
    {"throw", -1, SIGABRT, v1::STATE_RUNNING, "crashed"},
    {"catch", 0, 0, v1::STATE_FAILED, "failed"},
    {"exec", 6, 0, v1::STATE_RUNNING, "crashed"},
};

std::string as_expected(const Ending& ending) {
  return ending.exit_code < 0 ? "signal " + std::to_string(ending.signal)
                              : "exit code " + std::to_string(ending.exit_code);
}

TEST_CASE("R11: a program ends as it would have without us, and its run is found as promised, 50 times in each way") {
  for (const Ending& ending : kEndings) {
    for (int time = 0; time < scaled(50); ++time) {
      const tests::TempDir spool;
      Victim victim({KLEPTO_VICTIM, ending.scenario}, reports_to(spool.path()));
      const int status = victim.wait();
      CAPTURE(ending.scenario, time, victim.output());
      REQUIRE(described(status) == as_expected(ending));
      const Left left = left_in(spool.path());
      REQUIRE(left.damaged == 0);
      REQUIRE(left.runs.size() == 1);
      REQUIRE(left.runs[0].job == ending.scenario);
      REQUIRE(left.runs[0].run.state() == ending.state);
      REQUIRE(left.runs[0].run.labels_size() == 1);
      if (ending.state != v1::STATE_RUNNING) REQUIRE(left.runs[0].steps.at(1).second.count() == 100);
    }
  }
}

TEST_CASE("R11: static objects record before and after main, 50 times") {
  for (int time = 0; time < scaled(50); ++time) {
    const tests::TempDir spool;
    Victim victim({KLEPTO_VICTIM, "statics"}, together(reports_to(spool.path()), {"KLEPTO_VICTIM_STATICS=1"}));
    const int status = victim.wait();
    CAPTURE(time, victim.output());
    REQUIRE(described(status) == "exit code 0");
    const Left left = left_in(spool.path());
    REQUIRE(left.damaged == 0);
    for (const char* job : {"static-first", "static-all-along", "statics", "static-late", "static-last"}) {
      CAPTURE(job);
      REQUIRE(left.of(job).size() == 1);
      REQUIRE(left.of(job)[0].run.state() == v1::STATE_SUCCEEDED);
    }
  }
}

TEST_CASE("R11: a thread that records on while the program exits holds up nothing and harms nothing, 50 times") {
  for (int time = 0; time < scaled(50); ++time) {
    const tests::TempDir spool;
    Victim victim({KLEPTO_VICTIM, "thread"}, reports_to(spool.path()));
    const int status = victim.wait(std::chrono::seconds(20));
    CAPTURE(time, victim.output());
    REQUIRE(described(status) == "exit code 0");
    const Left left = left_in(spool.path());
    REQUIRE(left.damaged == 0);
    REQUIRE(left.of("thread").size() == 1);
    REQUIRE(left.of("thread")[0].run.state() == v1::STATE_SUCCEEDED);
    REQUIRE(left.of("busy").size() >= 10);
  }
}

// Each client that the thread made anew was waited for, for ever and ever.
TEST_CASE("R11: a thread that records on while the program exits, and a mute aggregator, cost flush_timeout once") {
  const MuteAggregator mute;
  for (int time = 0; time < scaled(5); ++time) {
    const tests::TempDir spool;
    Victim victim({KLEPTO_VICTIM, "thread"}, reports_to(spool.path(), mute.endpoint()));
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(described(victim.wait(std::chrono::seconds(20))) == "exit code 0");
    CHECK(victim.ended_at() - begin < std::chrono::seconds(3));  // of which the library's share is a quarter of one
    CHECK(left_in(spool.path()).journals <= 6);
  }
}

TEST_CASE("R11: a plug-in that recorded is unloaded, 50 times") {
  for (int time = 0; time < scaled(50); ++time) {
    const tests::TempDir spool;
    Victim victim({KLEPTO_PLUGIN_HOST, KLEPTO_PLUGIN}, reports_to(spool.path()));
    const int status = victim.wait();
    CAPTURE(time, victim.output());
    REQUIRE(described(status) == "exit code 0");
    const Left left = left_in(spool.path());
    REQUIRE(left.damaged == 0);
    REQUIRE(left.of("plug-in").size() == 3);
    for (const auto& run : left.runs) REQUIRE(run.run.state() == v1::STATE_SUCCEEDED);
  }
}

TEST_CASE("R11: the aggregator reports each way to end as promised") {
  const tests::Daemon daemon;
  for (const Ending& ending : kEndings) {
    CAPTURE(ending.scenario);
    Victim victim({KLEPTO_VICTIM, ending.scenario}, together(reports_to({}), daemon.environment()));
    REQUIRE(described(victim.wait()) == as_expected(ending));
    const std::string path = std::string("/api/v1/jobs/") + ending.scenario + "/runs";
    const tests::Json answer = daemon.eventually(
        path, [](const tests::Json& now) { return !now.at("runs").empty() && now["runs"][0]["state"] != "running"; });
    REQUIRE(answer.at("runs").size() == 1);
    CHECK(answer["runs"][0]["state"] == ending.reported);
    CHECK(answer["runs"][0]["counters"]["rows"] == 5);
  }
}

}  // namespace
}  // namespace kleptometrics::fault
