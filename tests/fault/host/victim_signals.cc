// A program that records while signals rain on the thread that does.
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/victim.h"

namespace kleptometrics::fault {
namespace {

constexpr long kBetweenSignals = 100'000;  // nanoseconds: 10 kHz
std::atomic<std::uint64_t> caught{0};

void start_rain(bool restarting) {
  struct sigaction action {};
  action.sa_handler = [](int) { ++caught; };
  action.sa_flags = restarting ? SA_RESTART : 0;
  ::sigaction(SIGUSR1, &action, nullptr);
  sigevent to{};
  to.sigev_notify = SIGEV_THREAD_ID;
  to.sigev_signo = SIGUSR1;
  to._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
  timer_t timer{};
  const itimerspec often{{0, kBetweenSignals}, {0, kBetweenSignals}};
  if (::timer_create(CLOCK_MONOTONIC, &to, &timer) != 0 || ::timer_settime(timer, 0, &often, nullptr) != 0) ::_exit(95);
}

struct Done {
  int rounds = 0, executions = 0, clients = 0;
};

// One of everything that a job does.
void record(Run& run, StepTimer& timer, Done& done) {
  for (int i = 0; i < 5000; ++i, ++done.executions) {
    const auto timing = timer.start();
    const auto step = run.step("step");
    run.count("rows");
  }
  run.progress(done.rounds % 100 / 100.0).label("round", std::to_string(done.rounds));
  if (done.rounds % 10 == 0) {
    Run brief("brief");
    brief.label("round", std::to_string(done.rounds));
  }
  if (done.rounds % 40 == 0) {
    ClientOptions options;
    options.endpoint = "unix:absent";
    options.flush_timeout = std::chrono::milliseconds(20);
    Client own(options);
    Run run_of_own(own, "own");
    run_of_own.end();
    done.clients += own.stats().durable ? 1 : 0;
  }
  ++done.rounds;
}

// Arguments: how many signals at least; `restart` if their handler asks for interrupted calls to be restarted.
// Prints signals, rounds, executions, and clients that got a journal.
int rain(const Arguments& arguments) {
  const std::uint64_t enough = std::stoull(arguments.at(0));
  Done done;
  {
    Run run("rain");
    StepTimer timer = run.step_timer("timer");
    start_rain(arguments.at(1) == "restart");
    while (caught < enough) record(run, timer, done);
  }
  std::printf("%llu %d %d %d", static_cast<unsigned long long>(caught), done.rounds, done.executions, done.clients);
  return 0;
}

}  // namespace

const std::vector<Scenario> kSignals = {{"rain", rain}};

}  // namespace kleptometrics::fault
