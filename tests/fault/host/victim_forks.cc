// A program that forks from eight threads while all of them record.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/victim.h"

namespace kleptometrics::fault {
namespace {

constexpr int kThreads = 8;
constexpr int kRowsPerRun = 1000;

// What a child is there for. A hang becomes a signal.
void record_of_its_own() {
  ::alarm(60);
  Run own("child");
  const auto step = own.step("child's");
  own.count("rows");
}

[[noreturn]] void live_as_child(int number, Run& inherited) {
  inherited.fail("not the child's to say");
  switch (number % 10) {
    case 7:
      record_of_its_own();
      ::_exit(0);
    case 8:
      ::execl(kMyself, "victim", "child", nullptr);
      ::_exit(97);
    case 9:
      if (::daemon(1, 1) != 0) ::_exit(96);
      record_of_its_own();
      std::exit(0);
    default:
      record_of_its_own();
      std::exit(0);
  }
}

void record(Run& run, StepTimer& timer) {
  for (int row = 0; row < kRowsPerRun; ++row) {
    const auto timing = timer.start();
    run.count("rows");
  }
}

// Starts runs, and forks in the middle of each for as long as there are numbers of children left; how many runs.
int work(std::atomic<int>& left, std::atomic<int>& bad) {
  int runs = 0;
  for (int number = --left; number >= 0; number = --left, ++runs) {
    Run run("parent");
    StepTimer timer = run.step_timer("row");
    record(run, timer);
    const pid_t child = ::fork();
    if (child == 0) live_as_child(number, run);
    record(run, timer);
    int status = 0;
    if (::waitpid(child, &status, 0) != child || status != 0) ++bad;
  }
  return runs;
}

// Arguments: how many forks. Prints how many runs the parent had.
int forks(const Arguments& arguments) {
  std::atomic<int> left{std::stoi(arguments.at(0))};
  std::atomic<int> bad{0};
  std::atomic<int> runs{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&] { runs += work(left, bad); });
  for (std::thread& thread : threads) thread.join();
  const bool delivered = Client::process().flush(std::chrono::seconds(30));
  std::printf("%d", runs.load());
  return bad != 0 ? 1 : !delivered ? 2 : Client::process().stats().dropped != 0 ? 3 : 0;
}

int child(const Arguments&) {
  record_of_its_own();
  return 0;
}

}  // namespace

const std::vector<Scenario> kForks = {{"forks", forks}, {"child", child}};

}  // namespace kleptometrics::fault
