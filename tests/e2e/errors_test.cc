// Bad input from the command line and from the network: each a clear error that names the fault, and the aggregator
// goes on.
#include <string>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::tests::Answer;
using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::run_program;
using kleptometrics::tests::TempDir;

namespace {

Ended start_with(const std::vector<std::string>& flags) {
  const TempDir dir;
  std::vector<std::string> command{KLEPTO_DAEMON, "--listen=127.0.0.1:0",
                                   "--socket=", "--store=memory:", "--spool_dir=" + dir / "spool"};
  command.insert(command.end(), flags.begin(), flags.end());
  return run_program(command, {}, 20);
}

void check_refused(const std::vector<std::string>& flags, const std::string& why) {
  const Ended ended = start_with(flags);
  INFO(ended.output);
  CHECK(ended.exit_code > 0);
  CHECK(ended.output.find(why) != std::string::npos);
}

void check_problem(const Answer& answer, int status, const std::string& field, const std::string& detail) {
  INFO(answer.body);
  CHECK(answer.status == status);
  CHECK(answer.content_type == "application/problem+json");
  const auto problem = answer.json();
  CHECK(problem.at("status") == status);
  if (!field.empty()) CHECK(problem.at("field") == field);
  CHECK(problem.at("detail").get<std::string>().find(detail) != std::string::npos);
}

}  // namespace

TEST_CASE("Flags that cannot be meant are refused with a line that says so") {
  check_refused({"--no_such_flag=1"}, "no_such_flag");
  check_refused({"a-word"}, "unexpected argument \"a-word\"");
  check_refused({"--listen=localhost:http"}, "listen");
  check_refused({"--listen=127.0.0.1:70000"}, "70000");
  check_refused({"--listen=0.0.0.0:0"}, "beyond loopback");
  check_refused({"--store=oracle:x"}, "oracle");
  check_refused({"--forward=centre:9461"}, "--forward: endpoint \"centre:9461\"");
  check_refused({"--store=sqlite:"}, "path is empty");
  check_refused({"--store=sqlite:/no/such/folder/runs.db"}, "/no/such/folder");
  check_refused({"--store=sqlite:/proc/runs.db"}, "/proc/runs.db");
  check_refused({"--ready_file=/no/such/folder/ready"}, "/no/such/folder/ready");
  check_refused({"--socket=/no/such/folder/klepto.sock"}, "/no/such/folder");
}

TEST_CASE("A port, a socket or a store in use is refused by name", "[file]") {
  const Daemon daemon;
  check_refused({"--listen=" + daemon.listen()}, daemon.listen());
  check_refused({"--socket=" + daemon.endpoint().substr(5)}, daemon.endpoint().substr(5));
  check_refused({"--store=sqlite:" + daemon.dir() / "runs.db"}, "runs.db");
}

TEST_CASE("--help explains every flag and --version names the build") {
  const Ended help = start_with({"--help"});
  for (const char* flag :
       {"--listen", "--socket", "--store", "--spool_dir", "--ready_file", "--backup", "--verify_store"})
    CHECK(help.output.find(flag) != std::string::npos);
  CHECK(start_with({"--version"}).output.find("kleptometricsd 0.") != std::string::npos);
}

TEST_CASE("A store in use is copied, the copy holds together, and one that does not is told of", "[file]") {
  Daemon daemon;
  const std::string store = "--store=sqlite:" + daemon.dir() / "runs.db";
  const std::string copy = daemon.dir() / "copy.db";
  for (int i = 0; i < 20; ++i)
    REQUIRE(daemon.send("POST", "/api/v1/jobs/backup/runs", R"({"state":"succeeded"})").status == 201);
  check_refused({store, "--verify_store"}, "another process has it open");
  check_refused({"--store=sqlite:" + daemon.dir() / "none.db", "--verify_store"}, "there is no such file");
  CHECK(start_with({store, "--backup=" + copy}).exit_code == 0);
  check_refused({store, "--backup=" + copy}, "exists already");
  check_refused({"--store=memory:", "--backup=" + copy}, "keeps no file");
  const Ended verified = start_with({"--store=sqlite:" + copy, "--verify_store"});
  CHECK(verified.exit_code == 0);
  CHECK(verified.output.find("derived from runs") != std::string::npos);
  const Daemon other({"--store=sqlite:" + copy});
  CHECK(other.json("/api/v1/jobs/backup/stats").at("count") == 20);
}

TEST_CASE("A stop by SIGTERM is orderly: exit code 0, the socket and the ready file are gone") {
  Daemon daemon;
  const std::string socket = daemon.endpoint().substr(5);
  CHECK(::access(socket.c_str(), F_OK) == 0);
  CHECK(daemon.terminate() == 0);
  CHECK(::access(socket.c_str(), F_OK) != 0);
  CHECK(::access((daemon.dir() / "ready").c_str(), F_OK) != 0);
}

TEST_CASE("Bad requests are answered with what is wrong, and the next good one is served") {
  const Daemon daemon;
  const std::string runs = "/api/v1/jobs/backup/runs";
  check_problem(daemon.send("POST", runs, R"({"colour":"red"})"), 400, "colour", "colour");
  check_problem(daemon.send("POST", runs, R"({"progress":"half"})"), 400, "progress", "number");
  check_problem(daemon.send("POST", runs, R"({"id":"12"})"), 400, "id", "UUID");
  check_problem(daemon.send("POST", runs, "{"), 400, "", "");
  check_problem(daemon.send("POST", "/api/v1/jobs/-bad/runs", "{}"), 400, "job", "A-Za-z0-9");
  check_problem(daemon.send("POST", runs, "a=b", "application/x-www-form-urlencoded"), 415, "", "application/json");
  check_problem(daemon.send("POST", runs, std::string(5U << 20U, ' ')), 413, "", "");
  check_problem(daemon.get("/api/v1/jobs?colour=red"), 400, "colour", "colour");
  check_problem(daemon.get("/api/v1/runs/00000000-0000-7000-8000-000000000000"), 404, "", "");
  check_problem(daemon.get("/nowhere"), 404, "", "");
  check_problem(daemon.send("DELETE", "/api/v1/jobs", ""), 405, "", "");
  CHECK(daemon.get("/-/healthy").status == 200);
  CHECK(daemon.get("/-/ready").status == 200);
  CHECK(daemon.send("POST", runs, "{}").status == 201);
}
