// Programs that end, in every way there is, within the scope of a run of the scenario's name.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <thread>

#include "kleptometrics/kleptometrics.h"
#include "tests/fault/host/victim.h"

namespace kleptometrics::fault {
namespace {

void work(Run& run) {
  const auto step = run.step("work");
  auto timer = run.step_timer("item");
  for (int i = 0; i < 100; ++i) const auto timing = timer.start();
  run.count("rows", 5).label("region", "eu");
}

template <typename End>
int within_scope(const char* job, End end) {
  Run run(job);
  work(run);
  end();
  return 0;
}

int returns(const Arguments&) {
  return within_scope("return", [] {});
}
int exits(const Arguments&) {
  return within_scope("exit", [] { std::exit(0); });
}
int exits_badly(const Arguments&) {
  return within_scope("exit-3", [] { std::exit(3); });
}
int quick_exits(const Arguments&) {
  return within_scope("quick-exit", [] { std::quick_exit(4); });
}
int leaves(const Arguments&) {
  return within_scope("leave", [] { ::_exit(5); });
}
int aborts(const Arguments&) {
  return within_scope("abort", [] { std::abort(); });
}
int is_terminated(const Arguments&) {
  return within_scope("terminate", [] { std::raise(SIGTERM); });
}
int is_killed(const Arguments&) {
  return within_scope("kill", [] { std::raise(SIGKILL); });
}
volatile int* volatile nowhere = reinterpret_cast<volatile int*>(8);  // not null, which a sanitizer would see coming
int faults(const Arguments&) {
  return within_scope("fault", [] { *nowhere = 1; });
}
int throws(const Arguments&) {
  return within_scope("throw", [] { throw std::runtime_error("nobody catches it"); });
}

int catches(const Arguments&) {
  try {
    return within_scope("catch", [] { throw std::runtime_error("caught outside"); });
  } catch (const std::exception&) {
    return 0;
  }
}

int becomes_another(const Arguments&) {
  return within_scope("exec", [] { ::execl(kMyself, "victim", "nothing", nullptr); });
}
int nothing(const Arguments&) { return 6; }

// The handlers at exit, and static objects, find a thread that starts and ends runs as fast as it can.
int leaves_a_thread(const Arguments&) {
  static std::atomic<int> done{0};
  std::thread([] {
    for (;;) {
      Run run("busy");
      work(run);
      ++done;
    }
  }).detach();
  return within_scope("thread", [] {
    while (done < 10) std::this_thread::yield();
  });
}

int records_statically(const Arguments&) {
  return within_scope("statics", [] {});
}

// Around main: the first is made before any client is, and so destroyed after the library has seen the exit.
bool is_wanted() { return std::getenv("KLEPTO_VICTIM_STATICS") != nullptr; }
struct Outer {
  ~Outer() {
    if (is_wanted()) within_scope("static-last", [] {});
  }
} outer;
struct Inner {
  std::optional<Run> open;
  Inner() {
    if (!is_wanted()) return;
    within_scope("static-first", [] {});
    open.emplace("static-all-along");
  }
  ~Inner() {
    if (is_wanted()) within_scope("static-late", [] {});
  }
} inner;

}  // namespace

const std::vector<Scenario> kEndings = {
    {"return", returns},
    {"exit", exits},
    {"exit-3", exits_badly},
    {"quick-exit", quick_exits},
    {"leave", leaves},
    {"abort", aborts},
    {"terminate", is_terminated},
    {"kill", is_killed},
    {"fault", faults},
    {"throw", throws},
    {"catch", catches},
    {"exec", becomes_another},
    {"nothing", nothing},
    {"thread", leaves_a_thread},
    {"statics", records_statically},
};

}  // namespace kleptometrics::fault
