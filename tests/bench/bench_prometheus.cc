// The peer: a histogram of prometheus-cpp fed with what a StepTimer measures, two readings of the steady clock a step.
#include <benchmark/benchmark.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>

namespace {

prometheus::Histogram& histogram() {
  static prometheus::Registry registry;
  // From a microsecond to half a minute, a bucket for each factor of four: a twelfth of what our distribution resolves.
  static prometheus::Histogram& made =
      prometheus::BuildHistogram()
          .Name("step_seconds")
          .Register(registry)
          .Add({}, prometheus::Histogram::BucketBoundaries{1e-6, 4e-6, 1.6e-5, 6.4e-5, 2.56e-4, 1.024e-3, 4.096e-3,
                                                           1.6384e-2, 6.5536e-2, 0.262144, 1.048576, 4.194304,
                                                           16.777216, 33.554432});
  return made;
}

void prometheus_step(benchmark::State& state) {
  prometheus::Histogram& steps = histogram();
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    benchmark::ClobberMemory();
    steps.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
}
BENCHMARK(prometheus_step)->Threads(1)->Threads(2);

}  // namespace
