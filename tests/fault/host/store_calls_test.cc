// R4, the aggregator's half: each system call that it makes under a scripted load fails, in its turn and in every way.
// Whatever was acknowledged is there when it is started next, and it takes the rest. After a sync that failed it ends,
// and touches its files no more. R19: an aggregator that tries a failed sync again is found out by the same check.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <random>

#include "lib/base/uuid.h"
#include "tests/fault/host/aggregator.h"
#include "tests/fault/host/calls.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

using tests::Json;

constexpr int kPushes = 6, kRunsPerPush = 2;

using States = std::map<std::string, std::string>;  // of runs, by id

std::string push_of(const States& runs) {
  Json body{{"runs", Json::array()}};
  for (const auto& [id, state] : runs) {
    Json run{{"id", id}, {"job", "load"}, {"state", state}, {"started_at", "2026-01-02T03:04:05Z"}};
    if (state != "running") run["duration_seconds"] = 1.5;
    body["runs"].push_back(run);
  }
  return body.dump();
}

// Each push starts one run and records another as a whole; the last one ends all.
struct Script {
  std::vector<States> pushes;
  States in_the_end;

  explicit Script(std::mt19937_64 random) {
    for (int push = 0; push < kPushes; ++push) {
      States runs;
      for (int i = 0; i < kRunsPerPush; ++i) {
        Uuid id;
        for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
        runs[id.text()] = i == 0 ? "running" : "succeeded";
        in_the_end[id.text()] = i == 0 ? "failed" : "succeeded";
      }
      pushes.push_back(std::move(runs));
    }
    pushes.push_back(in_the_end);
  }
};

enum class End { kTerminated, kKilled };

struct Tried {
  CallFault fault;
  std::vector<std::string> environment;  // more of it
  End end = End::kTerminated;

  std::uint64_t calls = 0;
  bool fired = false;
  std::string lost;     // what was acknowledged and is gone
  std::string problem;  // anything else; empty: none
};

bool is_sync(const std::string& call) { return call == "fsync" || call == "fdatasync"; }

// What was acknowledged, as far as the pushes came.
States load(const Aggregator& aggregator, const Script& script) {
  States acknowledged;
  for (const States& push : script.pushes) {
    if (aggregator.send("POST", "/api/v1/runs", push_of(push)).status != 200) continue;
    for (const auto& [id, state] : push) acknowledged[id] = state;
  }
  return acknowledged;
}

// A program that was killed, its journal in the spool.
void leave_a_journal(const std::string& spool) {
  ::mkdir(spool.c_str(), 0700);
  Victim victim({KLEPTO_VICTIM, "leave"}, reports_to(spool));
  victim.wait();
}

States suffer(Tried& tried, const std::string& dir, const Script& script) {
  const ShimReport report;
  auto environment = report.environment(tried.fault.call, tried.fault.at, tried.fault.error);
  Aggregator aggregator(dir, together(environment, tried.environment));
  States acknowledged;
  const bool ready = aggregator.ready();
  if (ready) acknowledged = load(aggregator, script);
  const bool sync_failed = is_sync(tried.fault.call) && report->failed != 0;
  const int status = sync_failed && tried.end == End::kTerminated ? aggregator.ended(std::chrono::seconds(20))
                     : tried.end == End::kKilled                  ? aggregator.kill()
                                                                  : aggregator.terminate();
  tried.calls = report->calls;
  tried.fired = report->failed != 0;
  if (tried.end == End::kKilled) return acknowledged;
  const std::string ended = described(status);
  const bool is_abseils = tried.fault.call == "mmap" && ended == "signal 6";  // its allocator ends the program
  if (ended != "exit code 0" && ended != "exit code 1" && !is_abseils) tried.problem = ended + ": " + aggregator.log();
  if (sync_failed && ended != "exit code 1") tried.problem = "went on after a failed sync: " + ended;
  // While it opens the file, SQLite takes back what it began; nothing was acknowledged then.
  if (sync_failed && ready && report->writes_after != 0)
    tried.problem = std::to_string(report->writes_after) + " writes and syncs after a failed sync";
  return acknowledged;
}

void look_for(const States& acknowledged, const Aggregator& aggregator, Tried& tried) {
  for (const auto& [id, state] : acknowledged) {
    const tests::Answer answer = aggregator.send("GET", "/api/v1/runs/" + id);
    const std::string found = answer.status == 200 ? answer.json().at("state").get<std::string>() : "nothing";
    if (found != state && (state != "running" || found == "nothing"))
      tried.lost += id + " is " + found + ", was acknowledged as " + state + "; ";
  }
}

// The next start: everything acknowledged is there, and everything is taken, counted once each.
void recover(const States& acknowledged, const std::string& dir, const Script& script, Tried& tried) {
  Aggregator aggregator(dir);
  if (!aggregator.ready()) {
    tried.lost = acknowledged.empty() ? "" : "all: the next start fails";
    tried.problem = "the next start fails: " + aggregator.log();
    return;
  }
  look_for(acknowledged, aggregator, tried);
  if (tried.end == End::kKilled) return;
  if (load(aggregator, script) != script.in_the_end) tried.problem += "; the next start does not take everything";
  const auto count = [&](const char* job, const char* state) {
    const tests::Answer answer = aggregator.send("GET", std::string("/api/v1/jobs/") + job + "/stats");
    return answer.status == 200 ? answer.json().at(state).get<int>() : 0;
  };
  if (count("load", "succeeded") != kPushes || count("load", "failed") != kPushes)
    tried.problem += "; counts are wrong";
  for (int tries = 0; tries < 1000 && count("leave", "crashed") == 0; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (count("leave", "crashed") != 1) tried.problem += "; the journal of a dead program is gone";
}

void try_it(Tried& tried, std::uint64_t number) {
  const tests::TempDir dir;
  const Script script(std::mt19937_64(seed() + number));
  leave_a_journal(dir / "spool");
  recover(suffer(tried, dir.path(), script), dir.path(), script, tried);
}

std::vector<Tried> try_all(const std::vector<std::string>& calls, const std::vector<std::string>& environment,
                           End end) {
  std::vector<Tried> all;
  for (const std::string& call : calls) {
    Tried undisturbed{{call, 0, "EIO"}, environment, End::kTerminated, 0, false, {}, {}};
    try_it(undisturbed, 0);
    CAPTURE(call, undisturbed.problem, undisturbed.lost, seed());
    REQUIRE(undisturbed.problem.empty());
    REQUIRE(undisturbed.lost.empty());
    std::vector<CallFault> faults;
    add_faults(call, undisturbed.calls, faults);
    for (const CallFault& fault : faults) all.push_back({fault, environment, end, 0, false, {}, {}});
  }
  at_once(all.size(), [&](std::size_t i) { try_it(all[i], i); });
  return all;
}

void fail_each(const std::vector<std::string>& calls, const std::vector<std::string>& environment = {}) {
  std::size_t fired = 0;
  for (const Tried& tried : try_all(calls, environment, End::kTerminated)) {
    CAPTURE(tried.fault.text(), seed());
    CHECK(tried.lost == "");
    CHECK(tried.problem == "");
    fired += tried.fired ? 1 : 0;
  }
  CHECK(fired > 0);
  WARN("n = " << fired << " failed calls");
}

TEST_CASE("R4: each write of the aggregator fails in turn") { fail_each({"write", "pwrite"}); }
TEST_CASE("R4: each sync of the aggregator fails in turn, and what it was to sync is lost") {
  fail_each({"fdatasync"}, {"KLEPTO_FAULT_DISCARD=1"});
}
TEST_CASE("R4: each call of the aggregator for files and memory fails in turn") {
  fail_each({"open", "ftruncate", "unlink", "rename", "mmap", "sync_folder"});
}
TEST_CASE("R4: each answer of the aggregator fails in turn") { fail_each({"send"}); }

TEST_CASE("R19: an aggregator that tries a failed sync again loses what it acknowledged, and R4 sees it") {
  const std::vector<std::string> careless{"KLEPTO_FAULT_DISCARD=1", "KLEPTO_FAULT_RETRY=1"};
  std::size_t seen = 0;
  const auto all = try_all({"fdatasync"}, careless, End::kKilled);
  for (const Tried& tried : all) seen += tried.lost.empty() ? 0 : 1;
  CHECK(seen > 0);
  WARN("seen in " << seen << " of " << all.size() << " cases");
}

}  // namespace
}  // namespace kleptometrics::fault
