// What recording costs the thread that does, counted in a program of its own: a million executions of a step take no
// memory, no lock and no system call. R13: and what becomes of a program whose memory runs out while it records.
#include <iostream>
#include <map>
#include <sstream>

#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

bool is_sanitized() {
  if (kSanitized) std::cout << "SKIPPED: a sanitizer stands between the program and its allocator\n";
  return kSanitized;
}

struct Counted {
  std::uint64_t allocations = 0, locks = 0, system_calls = 0;
  long first_call = -1;
};

std::map<std::string, Counted> measured(int times) {
  const tests::TempDir spool;
  Victim victim({KLEPTO_METER, "costs", std::to_string(times)}, reports_to(spool.path()));
  const std::string how = described(victim.wait(std::chrono::seconds(100)));
  if (how == "exit code 77") return {};
  CAPTURE(victim.output());
  REQUIRE(how == "exit code 0");
  std::map<std::string, Counted> out;
  std::istringstream lines(victim.output());
  std::string name;
  for (Counted one; lines >> name >> one.allocations >> one.locks >> one.system_calls >> one.first_call;)
    out[name] = one;
  return out;
}

TEST_CASE("A million executions of a step allocate nothing, take no lock and make no system call") {
  if (is_sanitized()) return;
  const int times = scaled(1'000'000);
  auto cost = measured(times);
  if (cost.empty()) {
    std::cout << "SKIPPED: this kernel does not let a program see its own system calls\n";
    return;
  }
  CHECK(cost["new"].allocations == 2);
  CHECK(cost["lock"].locks == 1);
  CHECK(cost["call"].system_calls == 1);
  for (const char* name : {"timer", "step"}) {
    const Counted& found = cost.at(name);
    CAPTURE(name, times, found.first_call);
    CHECK(found.allocations == 0);
    CHECK(found.locks == 0);
    CHECK(found.system_calls == 0);
  }
  // The lock of the run, which its worker holds for as long as it takes to read the counters.
  for (const char* name : {"count", "progress"}) {
    const Counted& found = cost.at(name);
    CAPTURE(name, times, found.first_call);
    CHECK(found.allocations == 0);
    CHECK(found.locks <= static_cast<std::uint64_t>(times));
  }
}

using tests::Json;

// The victim's journals go where the aggregator picks them up, so that what it says is all that is known.
std::map<std::string, Json> starve(const std::string& how) {
  const tests::Daemon daemon;
  Victim victim({KLEPTO_METER, "starve", how}, together(reports_to({}), daemon.environment()));
  const std::string ended = described(victim.wait(std::chrono::seconds(500)));
  CAPTURE(how, victim.output());
  REQUIRE(ended == "exit code 0");
  const int allocations = std::stoi(victim.output());
  CHECK(allocations > 300);  // or the program did not do what it should
  WARN(how << ": n = " << allocations << " allocations, each in its turn");
  if (how == "once")
    daemon.eventually("/api/v1/runs?state=running", [](const Json& answer) { return answer.at("runs").empty(); });
  std::map<std::string, Json> out;
  for (const char* job : {"first", "second", "third", "beside"})
    out[job] = daemon.json(std::string("/api/v1/jobs/") + job + "/stats");
  return out;
}

TEST_CASE("R13: one allocation fails, each in its turn: the program goes on, and what is said of its runs is true") {
  if (is_sanitized()) return;
  for (auto& [job, stats] : starve("once")) {
    CAPTURE(job, stats.dump());
    CHECK(stats.at("crashed") == 0);
    CHECK(stats.at(job == "second" ? "failed" : "succeeded") > 300);
    CHECK(stats.at(job == "second" ? "succeeded" : "failed") == 0);
  }
}

// There is no memory to say how a run ended, so it may be taken for crashed.
TEST_CASE("R13: all allocations fail from one on, from each in its turn: the program goes on as if nothing were") {
  if (is_sanitized()) return;
  for (auto& [job, stats] : starve("for-good")) {
    CAPTURE(job, stats.dump());
    CHECK(stats.at(job == "second" ? "succeeded" : "failed") == 0);
  }
}

}  // namespace
}  // namespace kleptometrics::fault
