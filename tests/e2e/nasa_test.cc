// A supercomputer's real history, replayed through the client library into the aggregator, against answers that
// were computed elsewhere. KLEPTO_TEST_DATA names the folder of the log.
#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::Json;
using kleptometrics::tests::read_file;
using kleptometrics::tests::run_program;
using kleptometrics::tests::start_program;
using kleptometrics::tests::wait_for;

namespace {

constexpr const char* kLog = "NASA-iPSC-1993-3.1-cln.swf.gz";
constexpr std::size_t kRuns = 18'239;

struct Expected {
  double count, min, median, p95, max;
};

// By job. Empty where the data is not to be had.
std::map<std::string, Expected> expected_answers() {
  std::map<std::string, Expected> out;
  const char* data = std::getenv("KLEPTO_TEST_DATA");
  if (data == nullptr) return out;
  std::ifstream file(std::string(data) + "/nasa_ipsc_expected.csv");
  std::string line;
  std::getline(file, line);  // job,count,min,median,p95,max,mean,total
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string job;
    std::getline(fields, job, ',');
    Expected answer{};
    char comma = 0;
    fields >> answer.count >> comma >> answer.min >> comma >> answer.median >> comma >> answer.p95 >> comma >>
        answer.max;
    out[job == "-1" ? "pnone" : "p" + job] = answer;
  }
  return out;
}

std::string replay_command() {
  return "set -e; zcat \"$KLEPTO_TEST_DATA/" + std::string(kLog) + "\" | " KLEPTO_REPLAY_SWF " --wait 120 -";
}

// As near as statistics from rollups promise.
void check_near(const Json& stats, const char* quantile, double exact) {
  INFO(quantile);
  CHECK(std::abs(stats.at(quantile).get<double>() - exact) <= kleptometrics::Sketch::kRelativeError * exact);
}

void check_history(const Daemon& daemon, const std::map<std::string, Expected>& expected) {
  CHECK(expected.size() == 494);
  for (const auto& [job, answer] : expected) {
    INFO(job);
    const Json stats = daemon.json("/api/v1/jobs/" + job + "/stats");
    CHECK(stats.at("count") == answer.count);
    CHECK(stats.at("min") == answer.min);
    check_near(stats, "median", answer.median);
    check_near(stats, "p95", answer.p95);
    CHECK(stats.at("max") == answer.max);
    const Json longest = daemon.json("/api/v1/runs/" + stats.at("high").at("run_id").get<std::string>());
    CHECK(longest.at("job") == job);
    CHECK(longest.at("duration_seconds") == answer.max);
  }
}

}  // namespace

TEST_CASE(
    "The history of a supercomputer gives the right answers, through a kill of the aggregator and a second replay") {
  const auto expected = expected_answers();
  if (expected.empty()) {
    WARN("SKIPPED: KLEPTO_TEST_DATA does not name a folder with the log");
    return;
  }
  Daemon daemon;
  const pid_t replay = start_program({"sh", "-c", replay_command()}, daemon.environment(), daemon.dir() / "replay");
  // Killed as soon as a part of the log is in, and started again.
  const Json part = daemon.eventually("/api/v1/jobs/p9/stats", [](const Json& stats) { return stats.at("count") > 5; });
  CHECK(part.at("count") < expected.at("p9").count);
  daemon.kill();
  daemon.start();
  const int exit_code = wait_for(replay, 240);
  INFO(read_file(daemon.dir() / "replay"));
  REQUIRE(exit_code == 0);
  check_history(daemon, expected);

  const Ended again = run_program({"sh", "-c", replay_command()}, daemon.environment(), 240);
  INFO(again.output);
  REQUIRE(again.exit_code == 0);
  CHECK(again.output.find(std::to_string(kRuns)) != std::string::npos);
  CHECK(again.output.find("duplicates " + std::to_string(kRuns)) != std::string::npos);
  check_history(daemon, expected);
}
