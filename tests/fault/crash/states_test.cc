// The fault table: each way of a program to get lost, or only to seem so, and the state that its run then has.
#include <unistd.h>

#include "tests/fault/crash/programs.h"

namespace kleptometrics::fault {
namespace {

using tests::Daemon;
using tests::Json;

// Over TCP, with a spool that the aggregator does not know: as on another machine.
std::vector<std::string> from_afar(const Daemon& daemon) {
  return {"KLEPTO_ENDPOINT=http://" + daemon.listen(), "KLEPTO_SPOOL_DIR=" + daemon.dir() / "afar"};
}

// By the Unix socket, with a spool that the aggregator does not know.
std::vector<std::string> from_another_spool(const Daemon& daemon) {
  return {"KLEPTO_ENDPOINT=" + daemon.endpoint(), "KLEPTO_SPOOL_DIR=" + daemon.dir() / "other"};
}

}  // namespace

TEST_CASE("fork: a child that holds socket and journal does not keep its parent's run open") {
  const Daemon daemon;
  Program program(daemon, "fork");
  run_in(daemon, program, "running");
  program.kill();
  CHECK(run_in(daemon, program, "crashed")["counters"]["rows"] == 7);
}

TEST_CASE("exec: a run that its program leaves behind is crashed, though the process lives") {
  const Daemon daemon;
  const Program program(daemon, "exec");
  program.go_on();
  const Json run = run_in(daemon, program, "crashed");
  CHECK(run["failure"]["kind"] == "lost");
  CHECK(run["failure"]["message"].get<std::string>().find("exec") != std::string::npos);
  program.signal(0);
}

TEST_CASE("daemon: the run before it is crashed, one that is started in the background is its own") {
  const Daemon daemon;
  Program program(daemon, "daemon");
  program.go_on();
  program.wait();
  const Json run = run_in(daemon, program, "crashed");
  CHECK(run["failure"]["kind"] == "lost");
  const Json background = daemon.eventually("/api/v1/jobs/background/runs", [](const Json& answer) {
    return !answer["runs"].empty() && answer["runs"][0]["state"] != "running";
  });
  REQUIRE(background.contains("runs"));
  CHECK(background["runs"][0]["state"] == "succeeded");
}

TEST_CASE("_exit: the exit code is told, where the kernel tells it") {
  const Daemon daemon;
  Program program(daemon, "leave");
  program.go_on();
  const Json run = run_in(daemon, program, "crashed");  // before it is reaped
  CHECK(run["failure"]["kind"] == "lost");
  CHECK(run["exit_code"] == 3);
}

TEST_CASE("double run: of two runs of a job at the same time the one whose program is killed is crashed") {
  const Daemon daemon;
  Program first(daemon, "end");
  Program second(daemon, "end");
  first.kill();
  run_in(daemon, first, "crashed");
  run_in(daemon, second, "running");
  second.go_on();
  run_in(daemon, second, "succeeded");
}

TEST_CASE("an aggregator that is started again while programs run watches them as the one before") {
  Daemon daemon;
  Program killed(daemon, "end");
  Program killed_meanwhile(daemon, "end");
  Program good(daemon, "end");
  Program good_meanwhile(daemon, "end");
  const bool in_order = GENERATE(true, false);
  if (in_order) daemon.terminate();
  if (!in_order) daemon.kill();
  killed_meanwhile.kill();
  good_meanwhile.go_on();
  good_meanwhile.wait();
  daemon.start();
  CHECK_FALSE(run_in(daemon, killed_meanwhile, "crashed").contains("finished_at"));  // nobody knows when
  run_in(daemon, good_meanwhile, "succeeded");
  killed.kill();
  CHECK(run_in(daemon, killed, "crashed").contains("finished_at"));
  good.go_on();
  run_in(daemon, good, "succeeded");
}

TEST_CASE("SIGSTOP: a program that is stopped here lives, one on another machine has lost contact, until it speaks") {
  const Daemon daemon({"--lost_after_seconds=1"});
  const Program here(daemon, "end");
  const Program here_by_tcp(
      daemon, "end", new_id().text(),
      {"KLEPTO_ENDPOINT=http://" + daemon.listen(), "KLEPTO_SPOOL_DIR=" + daemon.dir() / "spool"});
  const Program afar(daemon, "end", new_id().text(), from_afar(daemon));
  for (const Program* program : {&here, &here_by_tcp, &afar}) {
    run_in(daemon, *program, "running");
    program->signal(SIGSTOP);
    program->await_stop();
  }
  const Json lost = run_in(daemon, afar, "crashed");
  CHECK(lost["failure"]["kind"] == "lost");
  CHECK(lost["failure"]["message"].get<std::string>().rfind("lost contact", 0) == 0);
  CHECK(daemon.json(here.path())["state"] == "running");
  CHECK(daemon.json(here_by_tcp.path())["state"] == "running");
  for (const Program* program : {&here, &here_by_tcp, &afar}) {
    program->signal(SIGCONT);
    program->go_on();
    run_in(daemon, *program, "succeeded");
  }
}

TEST_CASE("a program whose journal lies elsewhere is known by the socket that it pushes through") {
  const Daemon daemon;
  Program program(daemon, "end", new_id().text(), from_another_spool(daemon));
  run_in(daemon, program, "running");
  program.kill();
  const Json run = run_in(daemon, program, "crashed");
  CHECK(run["failure"]["message"].get<std::string>().rfind("lost contact", 0) != 0);
}

TEST_CASE("each way of noticing a death is enough by itself") {
  const std::string way = GENERATE("pidfd", "file", "peer");
  INFO(way);
  const Daemon daemon({"--watch=" + way});
  Program program(daemon, "end");
  if (way == "peer") run_in(daemon, program, "running");
  program.kill();
  run_in(daemon, program, "crashed");
  Program good(daemon, "end");
  good.go_on();
  good.wait();
  run_in(daemon, good, "succeeded");
}

TEST_CASE("a run that was reported by curl is not judged by the end of curl") {
  const Daemon daemon({"--lost_after_seconds=1"});
  const tests::Ended curl =
      tests::run_program({"curl", "-s", "--unix-socket", daemon.dir() / "klepto.sock", "-H",
                          "Content-Type: application/json", "-d", "{}", "http://localhost/api/v1/jobs/shell/runs"});
  if (curl.exit_code == 127) return;  // there is no curl here
  const std::string path = "/api/v1/runs/" + Json::parse(curl.output).at("id").get<std::string>();
  const Program afar(daemon, "end", new_id().text(), from_afar(daemon));
  run_in(daemon, afar, "running");
  afar.signal(SIGSTOP);
  run_in(daemon, afar, "crashed");  // as long as that takes
  CHECK(daemon.json(path)["state"] == "running");
}

}  // namespace kleptometrics::fault
