// A sidecar that forwards to a centre: both real.
#include <signal.h>

#include <string>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

using kleptometrics::tests::Answer;
using kleptometrics::tests::Daemon;
using kleptometrics::tests::Ended;
using kleptometrics::tests::Json;
using kleptometrics::tests::run_program;
using kleptometrics::tests::TempDir;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string run_of(int number, const std::string& state, int seconds) {
  const std::string two = std::to_string(10 + number);
  return R"({"id":"01890000-0000-7000-8000-0000000000)" + two + R"(","started_at":"2026-01-05T03:)" + two +
         R"(:00Z","state":")" + state + R"(","duration_seconds":)" + std::to_string(seconds) +
         R"(,"host":"node-7","counters":{"rows":)" + two + "}}";
}

// A sidecar's, whatever the centre's may be.
std::string own_store(const TempDir& folder) { return "--store=sqlite:" + folder / "runs.db"; }

void report(const Daemon& daemon, int first, int last) {
  for (int i = first; i <= last; ++i) {
    const Answer answer =
        daemon.send("POST", "/api/v1/jobs/import/runs", run_of(i, i % 3 == 0 ? "failed" : "succeeded", i));
    INFO(answer.body);
    REQUIRE(answer.status == 201);
  }
}

bool has_runs(const Json& answer, std::size_t count) { return answer.at("runs").size() == count; }

Json runs_of(const Daemon& daemon, std::size_t count) {
  return daemon.eventually("/api/v1/jobs/import/runs?limit=1000",
                           [&](const Json& answer) { return has_runs(answer, count); });
}

void require_same(const Daemon& one, const Daemon& other, std::size_t runs) {
  const Json first = runs_of(one, runs), second = runs_of(other, runs);
  REQUIRE(first.at("runs").size() == runs);
  REQUIRE(first == second);
  for (const std::string question : {"stats", "stats?outcome=failed", "stats?measure=counter:rows", "history"})
    REQUIRE(one.json("/api/v1/jobs/import/" + question) == other.json("/api/v1/jobs/import/" + question));
}

std::string metric(const Daemon& daemon, const std::string& name) {
  const std::string all = daemon.get("/metrics").body;
  const std::string head = "\nkleptometrics_" + name + " ";
  const std::size_t at = all.find(head);
  if (at == std::string::npos) return {};
  return all.substr(at + head.size(), all.find('\n', at + 1) - at - head.size());
}

}  // namespace

TEST_CASE("what a sidecar commits is at the centre, with the host on which it ran and what was added to it") {
  const Daemon centre;
  const TempDir own;
  const Daemon sidecar({own_store(own), "--forward=http://" + centre.listen()});
  report(sidecar, 1, 9);
  runs_of(centre, 9);
  const std::string path = "/api/v1/runs/01890000-0000-7000-8000-000000000011";
  REQUIRE(sidecar.send("PATCH", path, R"({"labels":{"ticket":"42"}})").status == 200);
  const Json run = centre.eventually(path, [](const Json& answer) { return answer.contains("labels"); });
  REQUIRE(run.at("labels").at("ticket") == "42");
  REQUIRE(run.at("host") == "node-7");
  require_same(sidecar, centre, 9);
  REQUIRE(metric(sidecar, "forward_rejected_total") == "0");
  REQUIRE(metric(sidecar, "forward_failures_total") == "0");
  REQUIRE(metric(centre, "forward_sent_total").empty());
}

TEST_CASE("while the centre is away its sidecar answers as ever, and sends it all when it is back") {
  Daemon centre;
  const std::string address = centre.listen();
  const TempDir own;
  Daemon sidecar({own_store(own), "--forward=http://" + address});
  report(sidecar, 1, 3);
  runs_of(centre, 3);
  centre.kill();
  report(sidecar, 4, 6);
  REQUIRE(runs_of(sidecar, 6).at("runs").size() == 6);
  REQUIRE(std::stoi(metric(sidecar, "forward_waiting")) > 0);
  sidecar.kill();
  sidecar.start();
  report(sidecar, 7, 9);
  Daemon back({"--listen=" + address, "--store=" + centre.store()});
  require_same(sidecar, back, 9);
  sidecar.eventually("/api/v1/jobs", [&](const Json&) { return metric(sidecar, "forward_waiting") == "0"; });
  REQUIRE(metric(sidecar, "forward_waiting") == "0");
  REQUIRE(count_of(sidecar.log(), "works again") >= 1);
  REQUIRE(count_of(sidecar.log(), "waits in the store") <= 2);  // once a process
}

TEST_CASE("a centre that hangs does not hold up the end of its sidecar, nor what it answers") {
  const Daemon centre;
  const TempDir own;
  Daemon sidecar({own_store(own), "--forward=" + centre.endpoint()});
  report(sidecar, 1, 3);
  runs_of(centre, 3);
  REQUIRE(::kill(centre.pid(), SIGSTOP) == 0);
  report(sidecar, 4, 6);
  REQUIRE(runs_of(sidecar, 6).at("runs").size() == 6);
  REQUIRE(sidecar.terminate() == 0);
  REQUIRE(::kill(centre.pid(), SIGCONT) == 0);
  sidecar.start();
  require_same(sidecar, centre, 6);
}

TEST_CASE("history from before it forwarded goes to the centre by an export that is posted there, once or twice") {
  const Daemon centre;
  Daemon sidecar;
  report(sidecar, 1, 40);
  const std::vector<std::string> line{
      "sh", "-c",
      "curl -sS --unix-socket " + sidecar.dir() / "klepto.sock" +
          " -H 'Accept: application/x-ndjson' http://localhost/api/v1/runs | split -l 15 --filter \"curl -sS "
          "--unix-socket " +
          centre.dir() / "klepto.sock" +
          " -H 'Content-Type: application/x-ndjson' --data-binary @- http://localhost/api/v1/runs\""};
  for (int times = 0; times < 2; ++times) {
    const Ended ended = run_program(line);
    INFO(ended.output);
    REQUIRE(ended.exit_code == 0);
    REQUIRE(count_of(ended.output, "\"rejected\":[]") == 3);
  }
  require_same(sidecar, centre, 40);
}
