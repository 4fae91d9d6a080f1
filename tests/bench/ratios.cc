#include "tests/bench/ratios.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace kleptometrics::bench {
namespace {

using Times = std::map<std::string, std::vector<double>>;

// Keeps the nanoseconds of CPU time that an iteration of each benchmark took, one a repetition.
class Collector final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration && !run.error_occurred)
        times[run.run_name.function_name + suffix(run)].push_back(run.GetAdjustedCPUTime());
  }

  Times times;

 private:
  static std::string suffix(const Run& run) {
    return run.run_name.threads.empty() || run.threads == 1 ? "" : "/" + run.run_name.threads;
  }
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

void print_times(const Times& times) {
  std::printf("%-34s %12s %12s %12s\n", "BENCHMARK (ns of CPU time)", "LOWEST", "MEDIAN", "HIGHEST");
  for (const auto& [name, values] : times) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    std::printf("%-34s %12.1f %12.1f %12.1f\n", name.c_str(), *low, median(values), *high);
  }
}

void print_ratios(const Times& times, const std::vector<Ratio>& ratios) {
  std::printf("\n%-34s %-34s %8s %8s\n", "RATIO OF MEDIANS", "AGAINST", "RATIO", "AT MOST");
  for (const Ratio& ratio : ratios) {
    const auto top = times.find(ratio.name);
    const auto base = times.find(ratio.base);
    if (top == times.end() || base == times.end()) continue;
    std::printf("%-34s %-34s %8.2f", ratio.name.c_str(), ratio.base.c_str(),
                median(top->second) / median(base->second));
    std::printf(ratio.target > 0 ? " %8.2f\n" : "\n", ratio.target);
  }
}

}  // namespace

int run(int argc, char** argv, const std::vector<Ratio>& ratios) {
  std::vector<char*> arguments(argv, argv + argc);
  // Before those of the command line, which win.
  static char interleaved[] = "--benchmark_enable_random_interleaving=true";
  static char repetitions[] = "--benchmark_repetitions=15";
  static char length[] = "--benchmark_min_time=0.02";
  arguments.insert(arguments.begin() + 1, {interleaved, repetitions, length});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  print_times(collector.times);
  print_ratios(collector.times, ratios);
  return 0;
}

}  // namespace kleptometrics::bench
