// What the client library costs the thread that it times, beside two readings of the steady clock (what any timer
// costs) and, where it is installed, the histogram of prometheus-cpp on the same work.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kleptometrics/kleptometrics.h"
#include "kleptometrics/v1/run.pb.h"
#include "lib/src/client_access.h"
#include "lib/src/client_state.h"
#include "lib/src/ticks.h"
#include "tests/bench/ratios.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics {
namespace {

// Takes everything at once.
struct Taker final : internal::Transport {
  internal::Reply push(const std::string&) override { return {200, v1::PushResponse().SerializeAsString(), {}}; }
};

// A client with a journal on disk, whose worker is turned between measurements: it costs the measured thread nothing.
struct Bench {
  tests::TempDir spool;
  std::shared_ptr<internal::ClientState> state;
  std::unique_ptr<Client> client;

  Bench() {
    ClientOptions options;
    options.endpoint = "unix:/nowhere";
    options.spool_dir = spool.path();
    state = internal::ClientState::open(std::move(options), {nullptr, std::make_unique<Taker>(), false});
    client = std::make_unique<Client>(internal::ClientAccess::make(state));
    // The processor's counter is measured by the worker for some moments before it is used.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    while (std::chrono::steady_clock::now() < end) state->turn(true);
  }
};

// Made before anything is measured, and never destroyed.
Bench& the_bench() {
  static Bench& one = *new Bench;
  return one;
}

void two_steady_clocks(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
  }
}
BENCHMARK(two_steady_clocks)->Threads(1)->Threads(2);

void two_processor_clocks(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(internal::ticks::now());
    benchmark::DoNotOptimize(internal::ticks::now());
  }
}
BENCHMARK(two_processor_clocks);

// One run and one timer for all threads of a benchmark; made by the first of them, which all wait for.
std::unique_ptr<Run> shared_run;
std::unique_ptr<StepTimer> shared_timer;

void time_step(benchmark::State& state, bool processor_clock) {
  if (processor_clock && !internal::ticks::usable()) return state.SkipWithError("no processor clock to be trusted");
  if (state.thread_index() == 0) {
    internal::ticks::trusted.store(processor_clock);
    shared_run = std::make_unique<Run>(*the_bench().client, "bench");
    shared_timer = std::make_unique<StepTimer>(shared_run->step_timer("price"));
  }
  for (auto _ : state) {
    const auto timing = shared_timer->start();
    benchmark::ClobberMemory();
  }
  if (state.thread_index() == 0) {
    shared_timer.reset();
    shared_run.reset();
    internal::ticks::trusted.store(internal::ticks::usable());
    the_bench().state->turn(true);
  }
}
void step_processor_clock(benchmark::State& state) { time_step(state, true); }
BENCHMARK(step_processor_clock)->Threads(1)->Threads(2);
void step_steady_clock(benchmark::State& state) { time_step(state, false); }
BENCHMARK(step_steady_clock)->Threads(1)->Threads(2);

// Looks the step up by its name each time.
void step_by_name(benchmark::State& state) {
  Run run(*the_bench().client, "bench");
  for (auto _ : state) {
    const auto step = run.step("price");
    benchmark::ClobberMemory();
  }
}
BENCHMARK(step_by_name);

void count(benchmark::State& state) {
  Run run(*the_bench().client, "bench");
  for (auto _ : state) run.count("rows");
}
BENCHMARK(count);

// The worker empties the journal now and then, as it would ten times a second; that is not counted.
template <typename Body>
void runs(benchmark::State& state, Body body) {
  constexpr int kUntilEmptied = 200;
  int left = kUntilEmptied;
  for (auto _ : state) {
    {
      Run run(*the_bench().client, "bench");
      body(run);
    }
    if (--left > 0) continue;
    state.PauseTiming();
    the_bench().state->turn(true);
    left = kUntilEmptied;
    state.ResumeTiming();
  }
  the_bench().state->turn(true);
}

void run_start_end(benchmark::State& state) {
  runs(state, [](Run&) {});
}
BENCHMARK(run_start_end);

void run_with_10_steps(benchmark::State& state) {
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("step " + std::to_string(i));
  runs(state, [&](Run& run) {
    for (const std::string& name : names) const auto step = run.step(name);
  });
}
BENCHMARK(run_with_10_steps);

}  // namespace
}  // namespace kleptometrics

int main(int argc, char** argv) {
  kleptometrics::the_bench();  // not while something is measured
  return kleptometrics::bench::run(argc, argv,
                                   {{"step_processor_clock", "two_steady_clocks", 0.8},
                                    {"step_steady_clock", "two_steady_clocks", 1.3},
                                    {"step_processor_clock/threads:2", "step_processor_clock", 1.1},
                                    {"step_steady_clock/threads:2", "step_steady_clock", 1.1},
                                    {"two_steady_clocks/threads:2", "two_steady_clocks", 0},
                                    {"step_processor_clock", "prometheus_step", 1},
                                    {"step_steady_clock", "prometheus_step", 1},
                                    {"step_processor_clock/threads:2", "prometheus_step/threads:2", 1},
                                    {"step_steady_clock/threads:2", "prometheus_step/threads:2", 1},
                                    {"step_by_name", "prometheus_step", 0}});
}
