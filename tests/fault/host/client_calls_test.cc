// R4, the program's half: each system call that a scripted program makes through the client library fails, in its turn
// and in every way. The program's own result is the same, and whatever stood in a journal reaches the aggregator.
#include <random>

#include "lib/base/uuid.h"
#include "tests/e2e/daemon.h"
#include "tests/fault/host/calls.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

constexpr std::size_t kRuns = 3;
constexpr const char* kStates[kRuns] = {"succeeded", "failed", "failed"};  // the last is open at exit(7)
constexpr char kResult[] = "998500500";

// What came of one program.
struct Told {
  CallFault fault;
  std::vector<std::string> ids;
  std::string problem;  // empty: none
  bool fired = false, durable = false;
  std::uint64_t calls = 0;
};

std::string random_id(std::mt19937_64& random) {
  Uuid id;
  for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
  return id.text();
}

void tell(const tests::Daemon& daemon, Told& told) {
  const tests::TempDir dir;
  const ShimReport report;
  std::vector<std::string> command{KLEPTO_VICTIM, "tell"};
  command.insert(command.end(), told.ids.begin(), told.ids.end());
  command.push_back(dir / "durable");
  auto environment = together(reports_to({}), daemon.environment());
  environment = together(environment, report.environment(told.fault.call, told.fault.at, told.fault.error));
  Victim victim(command, environment);
  const std::string ended = described(victim.wait());
  told.durable = tests::read_file(dir / "durable") == "1";
  told.calls = report->calls;
  told.fired = report->failed != 0;
  if (ended != "exit code 7" || victim.output() != kResult) told.problem = ended + ", said: " + victim.output();
}

Told plan(const CallFault& fault, std::mt19937_64& random) {
  Told told;
  told.fault = fault;
  for (std::size_t i = 0; i < kRuns; ++i) told.ids.push_back(random_id(random));
  return told;
}

// What the daemon says of the runs, or the first difference from what it should.
std::string difference(const tests::Daemon& daemon, const Told& told) {
  for (std::size_t i = 0; told.durable && i < kRuns; ++i) {
    const tests::Json run = daemon.eventually("/api/v1/runs/" + told.ids[i],
                                              [&](const tests::Json& now) { return now.at("state") == kStates[i]; });
    const std::string state = run.is_null() ? "nothing" : run.at("state").get<std::string>();
    if (state != kStates[i]) return "run " + std::to_string(i) + " is " + state;
  }
  return {};
}

void fail_each(const std::vector<std::string>& calls) {
  const tests::Daemon daemon;
  std::mt19937_64 random(seed());
  std::vector<CallFault> faults;
  for (const std::string& call : calls) {
    Told undisturbed = plan({call, 0, "EIO"}, random);
    tell(daemon, undisturbed);
    CAPTURE(call, undisturbed.problem, seed());
    REQUIRE(undisturbed.problem.empty());
    REQUIRE(undisturbed.calls > 0);
    add_faults(call, undisturbed.calls, faults);
  }
  std::vector<Told> all;
  for (int times = 0; times < scaled(1); ++times)
    for (const CallFault& fault : faults) all.push_back(plan(fault, random));
  at_once(all.size(), [&](std::size_t i) { tell(daemon, all[i]); });

  std::size_t fired = 0, without_journal = 0;
  for (const Told& told : all) {
    CAPTURE(told.fault.text(), told.durable, seed());
    CHECK(told.problem == "");
    fired += told.fired ? 1 : 0;
    without_journal += told.durable ? 0 : 1;
    CHECK(difference(daemon, told) == "");
  }
  CHECK(fired > 0);
  WARN("n = " << fired << " failed calls; without a journal: " << without_journal);
}

TEST_CASE("R4: each call by which the client library makes its journal fails in turn") {
  fail_each({"open", "mmap", "fallocate", "rename", "unlink"});
}
TEST_CASE("R4: each call by which the client library reaches the aggregator fails in turn") {
  fail_each({"connect", "send"});
}

TEST_CASE("R4: the client library asks for no write and no sync of any file") {
  const tests::Daemon daemon;
  std::mt19937_64 random(seed());
  for (const char* call : {"write", "pwrite", "fdatasync", "fsync", "ftruncate"}) {
    Told told = plan({call, 0, "EIO"}, random);
    tell(daemon, told);
    CAPTURE(call);
    CHECK(told.problem.empty());
    CHECK(told.calls == 0);
  }
}

}  // namespace
}  // namespace kleptometrics::fault
