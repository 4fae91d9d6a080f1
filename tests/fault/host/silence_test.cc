// R8: the aggregator is absent, hung, or takes connections and never reads: the threads of the job do not wait for it,
// memory stays within its bound, and the program ends when it would have, and flush_timeout later at most.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/fault/host/host.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kRecording(10'000);
constexpr milliseconds kTolerance(50), kBadLuck(1000);
constexpr long kJournalKilobytes = 1024;
// Code and tables of the library and of protobuf, its worker's stack and arena, and one push while it is put together.
constexpr long kConstantKilobytes = 8 * 1024;

// --- memory, and the end ---

struct Measured {
  long resident = 0;         // kilobytes, at the end
  nanoseconds exit_delay{};  // from the return of main to the end of the process
};

Measured measure(const char* scenario, milliseconds time, const std::string& endpoint) {
  const tests::TempDir spool;
  Victim victim({KLEPTO_VICTIM, scenario, std::to_string(time.count())},
                together(reports_to(spool.path(), endpoint),
                         {"ASAN_OPTIONS=detect_leaks=0"}));  // which takes its time at the end
  const int status = victim.wait(std::chrono::seconds(60));
  CAPTURE(scenario, endpoint, victim.output());
  REQUIRE(described(status) == "exit code 0");
  Measured out;
  std::int64_t returned = 0;
  std::istringstream(victim.output()) >> out.resident >> returned;
  out.exit_delay = victim.ended_at().time_since_epoch() - nanoseconds(returned);
  return out;
}

void check_memory_and_end(const std::string& endpoint) {
  const Measured control = measure("idle", milliseconds(200), endpoint);
  const Measured longest = measure("busy", kRecording, endpoint);
  CAPTURE(control.resident, longest.resident);
  if (!kSanitized) CHECK(longest.resident - control.resident <= kJournalKilobytes + kConstantKilobytes);

  std::vector<nanoseconds> without{control.exit_delay}, with{longest.exit_delay};
  for (int i = 0; i < scaled(10); ++i) {
    without.push_back(measure("idle", milliseconds(20), endpoint).exit_delay);
    with.push_back(measure("busy", milliseconds(50), endpoint).exit_delay);
  }
  std::sort(without.begin(), without.end());
  std::sort(with.begin(), with.end());
  const auto middle = with.size() / 2;
  CAPTURE(without[middle].count(), without.back().count(), with[middle].count(), with.back().count());
  // The control waits flush_timeout at its end, too, and is woken up as late as the machine is busy; whatever it takes
  // longer is the machine's doing. One program alone may be unlucky.
  CHECK(with[middle] <= without[middle] + kTolerance);
  CHECK(with.back() <= without.back() + kBadLuck);
  WARN("resident " << longest.resident << " KiB, without the library " << control.resident << "; the end took "
                   << with[middle].count() / 1'000'000 << " ms, at most " << with.back().count() / 1'000'000
                   << ", a wait of flush_timeout " << without[middle].count() / 1'000'000 << ", at most "
                   << without.back().count() / 1'000'000 << "; n = " << with.size());
}

// --- what the threads of the job ask of the kernel ---

// Those that a thread of the job may make while it records, and why none of them waits for anybody:
//   getrusage              figures of the process itself, answered from the kernel's memory
//   futex                  a lock that another thread holds for as long as it copies a record; how long is checked
//   brk, mmap, munmap, madvise, mprotect  the C library's allocator, which also reads, once, whether memory is promised
//                          freely (a file of /proc, answered from the kernel's memory)
//   getrandom              without waiting (GRND_NONBLOCK), for ids
//   clock_gettime          where the kernel does not tell the time without a call
//   sched_yield            gives up the processor, waits for nothing
bool may_be_called(const std::string& call, const std::string& line) {
  static const std::vector<std::string> harmless{"getrusage", "futex",    "brk",       "mmap",          "munmap",
                                                 "madvise",   "mprotect", "getrandom", "clock_gettime", "sched_yield"};
  if (call == "getrandom") return line.find("GRND_NONBLOCK") != std::string::npos;
  if (call == "openat" || call == "read" || call == "close")
    return line.find("/proc/sys/vm/overcommit_memory") != std::string::npos;
  return std::find(harmless.begin(), harmless.end(), call) != harmless.end();
}

constexpr std::size_t kBadMax = 20;
constexpr double kLongestLock = 0.2;  // seconds, of a traced program on a busy machine

struct Traced {
  std::size_t threads = 0;
  std::map<std::string, std::size_t> calls;  // between the marks
  std::vector<std::string> bad;              // lines
  double longest_futex = 0;
};

// Seconds at the end of the line, in angle brackets.
double time_of(const std::string& line) {
  const auto at = line.rfind('<');
  return line.empty() || line.back() != '>' || at == std::string::npos ? 0 : std::atof(line.c_str() + at + 1);
}

void look_at(const std::string& thread, const std::string& line, Traced& out) {
  const std::string call = line.substr(0, line.find('('));
  if (call.size() == line.size()) return;  // what strace says of the thread itself
  ++out.calls[call];
  if (!may_be_called(call, line) && out.bad.size() < kBadMax) out.bad.push_back(thread + " " + line);
  if (call == "futex") out.longest_futex = std::max(out.longest_futex, time_of(line));
}

// What strace has to say of one thread. It cuts a line in two where another thread's comes in between.
struct ThreadTrace {
  bool recording = false;
  std::string first_half;

  // False: the rest is still to come.
  bool complete(std::string& line) {
    static const std::string kCut = "<unfinished ...>", kRest = " resumed>";
    if (const auto cut = line.find(kCut); cut != std::string::npos) {
      first_half = line.substr(0, cut);
      return false;
    }
    if (const auto rest = line.find(kRest); line.rfind("<... ", 0) == 0 && rest != std::string::npos)
      line = first_half + line.substr(rest + kRest.size());
    return true;
  }
};

Traced read_trace(const std::string& path) {
  Traced out;
  std::map<std::string, ThreadTrace> threads;
  std::ifstream file(path);
  std::string name;
  for (std::string line; file >> name >> std::ws && std::getline(file, line);) {
    ThreadTrace& thread = threads[name];
    if (!thread.complete(line)) continue;
    const bool begins = line.find("\"/kleptometrics/begin\"") != std::string::npos;
    if (line.find("\"/kleptometrics/end\"") != std::string::npos) thread.recording = false;
    if (thread.recording) look_at(name, line, out);
    if (begins) thread.recording = true;
    out.threads += begins ? 1 : 0;
  }
  return out;
}

bool can_trace() {
  if (kSanitized) {
    std::cout << "SKIPPED: a sanitizer makes calls of its own\n";
    return false;
  }
  const tests::TempDir dir;
  Victim strace({"strace", "-f", "-o", dir / "trace", "true"}, {});
  if (described(strace.wait()) == "exit code 0") return true;
  std::cout << "SKIPPED: strace is not there, or may not trace here\n";
  return false;
}

void check_calls(const std::string& endpoint) {
  const tests::TempDir dir;
  Victim victim({"strace", "-f", "-qq", "-y", "-T", "-o", dir / "trace", KLEPTO_VICTIM, "busy",
                 std::to_string(kRecording.count())},
                reports_to(dir.path(), endpoint));
  REQUIRE(described(victim.wait(std::chrono::seconds(100))) == "exit code 0");
  const Traced traced = read_trace(dir / "trace");
  REQUIRE(traced.threads == 2);
  std::string all;
  for (const auto& [call, times] : traced.calls) all += call + " " + std::to_string(times) + ", ";
  CAPTURE(all);
  REQUIRE(traced.calls.count("getrusage") == 1);  // or nothing was recorded
  for (const std::string& line : traced.bad) FAIL_CHECK(line);
  CHECK(traced.longest_futex < kLongestLock);
  WARN("system calls of the job's threads in 10 s: " << all << "longest futex " << traced.longest_futex << " s");
}

// One that was there and stopped.
struct HungAggregator {
  tests::Daemon daemon;
  HungAggregator() { ::kill(daemon.pid(), SIGSTOP); }
};

TEST_CASE("R8: the aggregator is absent for 10 s: memory and exit delay stay within their bounds") {
  check_memory_and_end({});
}
TEST_CASE("R8: the aggregator hangs for 10 s: memory and exit delay stay within their bounds") {
  const HungAggregator hung;
  check_memory_and_end(hung.daemon.endpoint());
}
TEST_CASE("R8: the aggregator never reads for 10 s: memory and exit delay stay within their bounds") {
  const MuteAggregator mute;
  check_memory_and_end(mute.endpoint());
  CHECK(mute.connections() > 0);
}

TEST_CASE("R8: the aggregator is absent for 10 s: the job's threads make no call that waits") {
  if (can_trace()) check_calls({});
}
TEST_CASE("R8: the aggregator hangs for 10 s: the job's threads make no call that waits") {
  if (!can_trace()) return;
  const HungAggregator hung;
  check_calls(hung.daemon.endpoint());
}
TEST_CASE("R8: the aggregator never reads for 10 s: the job's threads make no call that waits") {
  if (!can_trace()) return;
  const MuteAggregator mute;
  check_calls(mute.endpoint());
  CHECK(mute.connections() > 0);
}

}  // namespace
}  // namespace kleptometrics::fault
