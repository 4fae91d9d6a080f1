// A program that measures what recording costs it, and one that records while memory is short. It knows the library
// only as its users do.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/meter.h"

namespace kleptometrics::fault {
namespace {

void spin(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// --- what recording costs ---

std::atomic<int> turn{0};

// So that no duration of what follows is the first of its magnitude, for which the library makes room once; a thread
// may be held up at any time.
template <typename Once>
void warm_up(Once once) {
  for (int turns = 0; turns < 20'000; ++turns)
    once([turns = turns % 10'000] {
      for (int i = 0; i < turns; ++i) turn.store(i, std::memory_order_relaxed);
    });
  for (std::int64_t nanos = 1'000; nanos < 300'000'000; nanos += nanos / 4)
    once([nanos] { spin(std::chrono::nanoseconds(nanos)); });
}

template <typename Body>
void measure(const char* name, int times, Body body) {
  for (int i = 1; i < times; ++i) body();  // its own warm-up
  Meter::start();
  for (int i = 0; i < times; ++i) body();
  const Cost cost = Meter::stop();
  std::printf("%s %llu %llu %llu %ld\n", name, static_cast<unsigned long long>(cost.allocations),
              static_cast<unsigned long long>(cost.locks), static_cast<unsigned long long>(cost.system_calls),
              cost.first_call);
}

void measure_all(int times) {
  Run run("cost");
  StepTimer timer = run.step_timer("timer");
  warm_up([&](auto wait) {
    const auto timing = timer.start();
    wait();
  });
  warm_up([&](auto wait) {
    const auto step = run.step("step");
    wait();
  });
  run.count("rows").progress(0);
  measure("timer", times, [&] { const auto timing = timer.start(); });
  measure("step", times, [&] { const auto step = run.step("step"); });
  measure("count", times, [&] { run.count("rows"); });
  measure("progress", times, [&] { run.progress(0.5); });
}

// One of each, so that zeros mean something.
void measure_controls() {
  std::mutex mutex;
  measure("new", 1, [] { const auto one = std::make_unique<std::string>(100, 'x'); });
  measure("lock", 1, [&] { const std::lock_guard lock(mutex); });
  measure("call", 1, [] { ::getppid(); });
}

int costs(int times) {
  if (!Meter::sees_system_calls()) return 77;
  measure_controls();
  measure_all(times);
  return 0;
}

// --- while memory is short ---

std::atomic<bool> begin{false};
std::atomic<std::uint64_t> hooked{0};

void record_beside(Run& run) {
  StepTimer timer = run.step_timer("beside");
  for (int i = 0; i < 100; ++i) {
    const auto timing = timer.start();
    run.count("beside");
  }
}

// Some of everything that a job says. What it works out takes no memory, so that a wrong result is the library's doing.
std::uint64_t job(const char* name) {
  RunOptions options;
  options.on_failure = [](const RunInfo&) { ++hooked; };
  options.expected_duration = std::chrono::nanoseconds(1);
  options.on_delay = [](const RunInfo&) { ++hooked; };
  Run run(name, std::move(options));
  std::uint64_t sum = 0;
  run.label("a-label-beyond-any-small-string", "with a value that is beyond any small string as well").progress(0.25);
  Step outer = run.step("a step of a name that needs memory of its own");
  StepTimer inner = outer.step_timer("a step of a name that needs memory of its own, too");
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto timing = inner.start();
    run.count(i % 2 == 0 ? "a counter of a name that needs memory of its own" : "odd");
    sum += i * i;
  }
  record_beside(run);
  outer.fail("a message that needs memory of its own, and is told to a hook");
  outer.end();
  if (name[0] == 's') run.fail("a second message that needs memory of its own, and is told to a hook");
  return sum;
}

constexpr std::uint64_t kResult = 332'833'500;

[[noreturn]] void starve(std::uint64_t at, bool for_good, std::atomic<std::uint64_t>* calls) {
  ::alarm(60);  // a hang becomes a signal
  std::thread beside([] {
    while (!begin) std::this_thread::yield();
    Run run("beside");
    record_beside(run);
  });
  Famine::arm(at, for_good, calls);
  begin = true;
  const bool right = job("first") == kResult && job("second") == kResult;
  beside.join();
  spin(std::chrono::milliseconds(2));  // for the worker to fail, too
  std::exit(right && job("third") == kResult ? 0 : 1);
}

// For every allocation: a child in which that one fails. Prints how many there were.
int starve_at_each(bool for_good) {
  void* const place =
      ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* const calls = new (place) std::atomic<std::uint64_t>(0);
  for (std::uint64_t at = 1;; ++at) {
    *calls = 0;
    const pid_t child = ::fork();
    if (child == 0) starve(at, for_good, calls);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) {
      std::printf("allocation %llu: wait status %d\n", static_cast<unsigned long long>(at), status);
      return 1;
    }
    if (*calls < at) {
      std::printf("%llu\n", static_cast<unsigned long long>(at - 1));
      return 0;
    }
  }
}

}  // namespace
}  // namespace kleptometrics::fault

int main(int argc, char** argv) {
  using namespace kleptometrics::fault;  // NOLINT(google-build-using-namespace): this file is its end
  const rlimit no_cores{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_cores);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "costs" && argc > 2) return costs(std::stoi(argv[2]));
  if (what == "starve" && argc > 2) return starve_at_each(std::string(argv[2]) == "for-good");
  return 98;
}
