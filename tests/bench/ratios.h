// Runs the registered benchmarks in a random order, over and over, and prints a table of medians and ratios: on a noisy
// machine the ratio of two medians of one run can be trusted where a time cannot.
#pragma once

#include <string>
#include <vector>

namespace kleptometrics::bench {

// A line of the table of ratios: `name` against `base`, both names of benchmarks, and what is promised of it.
struct Ratio {
  std::string name, base;
  double target = 0;  // at most so much; 0: nothing is promised
};

// main() of a benchmark. CPU time of the measuring threads is what counts: what others do meanwhile does not. Lines
// whose benchmarks are not there are left out. Options are those of Google Benchmark. Returns the exit code: 0 whatever
// the ratios are.
int run(int argc, char** argv, const std::vector<Ratio>& ratios);

}  // namespace kleptometrics::bench
