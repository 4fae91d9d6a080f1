// Real programs, the real aggregator, asked over HTTP.
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>

#include "kleptometrics/kleptometrics.h"
#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::Json;
using kleptometrics::tests::run_program;
using kleptometrics::tests::start_program;
using kleptometrics::tests::wait_for;

namespace {

Json step_of(const Json& run, const std::string& name) {
  for (const Json& step : run.at("steps"))
    if (step.at("name") == name) return step;
  return {};
}

}  // namespace

TEST_CASE("The program of the README becomes history that can be asked") {
  const Daemon daemon;
  CHECK(run_program({KLEPTO_NIGHTLY_BILLING}, daemon.environment()).exit_code == 0);
  const Json runs = daemon.eventually("/api/v1/jobs/nightly-billing/runs",
                                      [](const Json& answer) { return !answer.at("runs").empty(); });
  REQUIRE(runs.at("runs").size() == 1);
  const Json run = daemon.json("/api/v1/runs/" + runs["runs"][0]["id"].get<std::string>());
  CHECK(run.at("state") == "succeeded");
  CHECK(run.at("labels") == Json{{"region", "eu"}});
  CHECK(run.at("counters") == Json{{"rows", 120000}});
  CHECK(run.at("program") == "nightly_billing");
  CHECK_FALSE(run.at("host").get<std::string>().empty());
  CHECK(step_of(run, "load").at("count") == 1);
  CHECK(step_of(run, "price").at("count") == 1000);
  CHECK(step_of(run, "send").at("failed") == 1);
  const Json stats = daemon.json("/api/v1/jobs/nightly-billing/stats");
  CHECK(stats.at("count") == 1);
  CHECK(stats.at("high").at("run_id") == run.at("id"));
}

TEST_CASE("An index of a folder is built, timed by step and counted, and a failure on purpose has its reason") {
  const Daemon daemon;
  const std::string root = KLEPTO_SOURCE_DIR "/lib";
  const std::string output = daemon.dir() / "index";
  const Ended good = run_program({KLEPTO_INDEX_TREE, "--root", root, "--output", output}, daemon.environment());
  INFO(good.output);
  CHECK(good.exit_code == 0);
  run_program({KLEPTO_INDEX_TREE, "--root", root, "--output", output, "--fail=no space left"}, daemon.environment());
  const Json runs = daemon.eventually("/api/v1/jobs/index-tree/runs", [](const Json& answer) {
    return answer.at("runs").size() == 2 && answer["runs"][0]["state"] != "running";
  });
  REQUIRE(runs.at("runs").size() == 2);
  CHECK(runs["runs"][0]["state"] == "failed");
  CHECK(runs["runs"][0]["failure"]["message"] == "no space left");
  const Json run = runs["runs"][1];
  CHECK(run.at("state") == "succeeded");
  const double files = run.at("counters").at("files");
  CHECK(files > 10);
  CHECK(run.at("counters").at("words") > files);
  CHECK(run.at("counters").at("bytes") > 0);
  const Json one = daemon.json("/api/v1/runs/" + run.at("id").get<std::string>());
  for (const char* name : {"scan", "read", "tokenize", "merge", "write"}) {
    INFO(name);
    CHECK(step_of(one, name).at("count") >= 1);
  }
  const Json job = daemon.json("/api/v1/jobs/index-tree");
  CHECK(job.at("status") == "failing");
}

TEST_CASE("What ran while no aggregator did is picked up when one starts") {
  Daemon daemon;
  CHECK(daemon.terminate() == 0);
  CHECK(run_program({KLEPTO_NIGHTLY_BILLING}, daemon.environment()).exit_code == 0);
  daemon.start();
  const Json runs = daemon.eventually("/api/v1/jobs/nightly-billing/runs",
                                      [](const Json& answer) { return !answer.at("runs").empty(); });
  REQUIRE(runs.at("runs").size() == 1);
  CHECK(runs["runs"][0]["state"] == "succeeded");
}

TEST_CASE("A program that is killed has its run reported as crashed, its counters kept") {
  const Daemon daemon;
  const pid_t pid = start_program({KLEPTO_INDEX_TREE, "--root", KLEPTO_SOURCE_DIR "/lib", "--slow", "60"},
                                  daemon.environment(), daemon.dir() / "killed");
  const auto running = [](const Json& answer) {
    return !answer.at("runs").empty() && answer["runs"][0]["state"] == "running";
  };
  const Json before = daemon.eventually("/api/v1/jobs/index-tree/runs", running);
  REQUIRE(running(before));
  ::kill(pid, SIGKILL);
  CHECK(wait_for(pid, 10) == -1);
  const Json after = daemon.eventually("/api/v1/jobs/index-tree/runs",
                                       [](const Json& answer) { return answer["runs"][0]["state"] != "running"; });
  CHECK(after["runs"][0]["state"] == "crashed");
  // The signal where the kernel tells, which depends on who was quicker where it is older.
  const std::string kind = after["runs"][0]["failure"]["kind"];
  CHECK((kind == "signal" || kind == "lost"));
  if (kind == "signal") CHECK(after["runs"][0]["failure"]["signal"] == SIGKILL);
  CHECK(after["runs"][0]["id"] == before["runs"][0]["id"]);
}

TEST_CASE("The client ships over TCP as well") {
  const Daemon daemon;
  const std::string endpoint = "KLEPTO_ENDPOINT=http://" + daemon.listen();
  CHECK(run_program({KLEPTO_NIGHTLY_BILLING}, {endpoint, "KLEPTO_SPOOL_DIR=" + daemon.dir() / "other"}).exit_code == 0);
  const Json runs = daemon.eventually("/api/v1/runs", [](const Json& answer) { return !answer.at("runs").empty(); });
  CHECK(runs.at("runs").size() == 1);
}

TEST_CASE("A client of one's own delivers while its host goes on, through a restart of the aggregator") {
  Daemon daemon;
  kleptometrics::ClientOptions options;
  options.endpoint = daemon.endpoint();
  options.spool_dir = daemon.dir() / "spool";
  kleptometrics::Client client(options);
  { kleptometrics::Run run(client, "one"); }
  CHECK(client.flush(std::chrono::seconds(20)));
  daemon.kill();
  { kleptometrics::Run run(client, "two"); }
  daemon.start();
  CHECK(client.flush(std::chrono::seconds(20)));
  CHECK(daemon.json("/api/v1/jobs").at("jobs").size() == 2);
  CHECK(client.stats().dropped == 0);
}

TEST_CASE("A job without the library is timed by HTTP alone") {
  const Daemon daemon;
  const auto started = daemon.send("POST", "/api/v1/jobs/backup/runs", "{}");
  CHECK(started.status == 201);
  const std::string id = started.json().at("id");
  CHECK(daemon.send("PATCH", "/api/v1/runs/" + id, R"({"counters":{"files":3},"progress":0.5})").status == 200);
  const auto ended =
      daemon.send("PATCH", "/api/v1/runs/" + id, R"({"state":"failed","failure":{"message":"tape full"}})");
  CHECK(ended.status == 200);
  const Json run = daemon.json("/api/v1/runs/" + id);
  CHECK(run.at("state") == "failed");
  CHECK(run.at("failure").at("message") == "tape full");
  CHECK(run.at("counters").at("files") == 3);
  CHECK(run.at("duration_seconds") >= 0);
}

TEST_CASE("An aggregator that hangs holds up nobody, and gets everything once it goes on") {
  const Daemon daemon;
  kleptometrics::ClientOptions options;
  options.endpoint = daemon.endpoint();
  options.spool_dir = daemon.dir() / "spool";
  options.flush_timeout = std::chrono::milliseconds(50);
  auto client = std::make_unique<kleptometrics::Client>(options);
  { kleptometrics::Run run(*client, "before"); }
  CHECK(client->flush(std::chrono::seconds(20)));
  ::kill(daemon.pid(), SIGSTOP);
  for (int i = 0; i < 100; ++i) kleptometrics::Run run(*client, "meanwhile");
  CHECK_FALSE(client->flush(std::chrono::milliseconds(50)));
  {
    kleptometrics::Client hasty(options);
    kleptometrics::Run run(hasty, "hasty");
  }  // its end waits 50 ms, not for ever
  ::kill(daemon.pid(), SIGCONT);
  CHECK(client->flush(std::chrono::seconds(30)));
  CHECK(daemon.json("/api/v1/jobs/meanwhile/stats").at("count") == 100);
  CHECK(client->stats().dropped == 0);
}
