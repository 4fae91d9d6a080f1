// Programs that record as jobs do: one by a script, one all the time, one under a clock that jumps.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/victim.h"

namespace kleptometrics::fault {
namespace {

using SteadyClock = std::chrono::steady_clock;

long long nanos(SteadyClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

RunOptions with_id(const std::string& id) {
  RunOptions options;
  options.id = id;
  return options;
}

// --- by a script: three runs of the ids given, the last one open to the end. The fourth argument is a file that learns
// --- whether there was a journal.

std::uint64_t work(Run& run) {
  const auto step = run.step("work");
  auto timer = run.step_timer("item");
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto timing = timer.start();
    run.count("rows");
    sum += i * i;
  }
  run.label("region", "eu").progress(0.5);
  return sum;
}

// By the C library's streams, whose own calls nobody counts.
void note(const std::string& path, bool yes) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return;
  std::fputs(yes ? "1" : "0", file);
  std::fclose(file);
}

int tell(const Arguments& arguments) {
  std::uint64_t sum = 0;
  {
    Run good("scripted", with_id(arguments.at(0)));
    sum += work(good);
  }
  note(arguments.at(3), Client::process().stats().durable);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));  // in which the worker has a turn or two
  {
    Run bad("scripted", with_id(arguments.at(1)));
    sum += work(bad);
    bad.fail("on purpose");
  }
  Run open("scripted", with_id(arguments.at(2)));
  sum += work(open);
  std::printf("%llu", static_cast<unsigned long long>(sum));
  std::exit(7);
}

// --- all the time, on several threads ---

constexpr int kThreads = 2;

// Seen by whoever traces the system calls: the thread does nothing but record from the first to the second.
void mark(const char* what) { static_cast<void>(::access(what, F_OK)); }

// A run of a few milliseconds, with some of everything.
void record_a_run() {
  Run run("busy");
  StepTimer timer = run.step_timer("timer");
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 2000; ++k) const auto timing = timer.start();
    auto step = run.step("step");
    const auto nested = step.step("nested");
    run.count("rows").progress(i / 20.0);
    if (i == 10) run.label("half", "done");
  }
  run.fail("it is part of the script");
}

void record_until(SteadyClock::time_point end) {
  record_a_run();
  mark("/kleptometrics/begin");
  while (SteadyClock::now() < end) record_a_run();
  mark("/kleptometrics/end");
}

void spin_until(SteadyClock::time_point end) {
  while (SteadyClock::now() < end) {
  }
}

// Kilobytes that the process has in memory.
long resident() {
  std::ifstream statm("/proc/self/statm");
  long size = 0;
  long pages = 0;
  statm >> size >> pages;
  return pages * (::sysconf(_SC_PAGESIZE) / 1024);
}

// Milliseconds are the argument. Prints what is resident in the end, and when main returned.
template <typename Until>
int keep_busy(const Arguments& arguments, Until until) {
  const std::chrono::milliseconds time(std::stol(arguments.at(0)));
  const auto begin = SteadyClock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&] { until(begin + time); });
  for (std::thread& thread : threads) thread.join();
  const long kilobytes = resident();
  std::printf("%ld %lld", kilobytes, nanos(SteadyClock::now()));
  std::fflush(stdout);
  return 0;
}

int busy(const Arguments& arguments) { return keep_busy(arguments, record_until); }

// Without the library; waits as long at its end as the library may.
int idle(const Arguments& arguments) {
  std::atexit([] { std::this_thread::sleep_for(std::chrono::milliseconds(250)); });
  return keep_busy(arguments, spin_until);
}

// --- under a clock that jumps: the argument is how many runs. Prints the least and the most that each can have taken.

int clock_runs(const Arguments& arguments) {
  for (int i = 0; i < std::stoi(arguments.at(0)); ++i) {
    const auto before = SteadyClock::now();
    auto run = std::make_unique<Run>("clock");
    const auto begun = SteadyClock::now();
    {
      const auto step = run->step("step");
      spin_until(SteadyClock::now() + std::chrono::microseconds(200));
    }
    run->label("number", std::to_string(i)).progress(0.5);
    const auto ending = SteadyClock::now();
    run.reset();
    const auto after = SteadyClock::now();
    std::printf("%lld %lld\n", nanos(ending) - nanos(begun), nanos(after) - nanos(before));
  }
  return 0;
}

}  // namespace

const std::vector<Scenario> kTelling = {{"tell", tell}, {"busy", busy}, {"idle", idle}, {"clock", clock_runs}};

}  // namespace kleptometrics::fault
