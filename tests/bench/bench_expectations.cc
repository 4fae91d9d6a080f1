// The table of what learned limits say of the log of a supercomputer: how many of its runs they would have raised an
// alarm about, and how many they would have flagged while they ran, had they taken three times as long. No chance is
// involved: the table is the same on every machine.
#include <cstdint>
#include <cstdio>

#include "tests/bench/learned.h"

namespace {

using kleptometrics::bench::Judged;

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

unsigned long long number(std::uint64_t value) { return value; }

void print_head() {
  std::printf("%-9s %6s %8s %8s %6s | %7s %6s %6s %6s %8s %7s | %8s %8s %9s\n", "PROGRAM", "RUNS", "MEDIAN s", "P95 s",
              "STEADY", "JUDGED", "LONG", "SHORT", "SHIFT", "FLAGGED", "ALERTS", "3 x OWN", "3 x USUAL", "HINDSIGHT");
}

void print(const Judged& program) {
  std::printf("%-9s %6llu %8.0f %8.0f %6s | %7llu %6llu %6llu %6llu %6.1f %% %7llu | ", program.program.c_str(),
              number(program.runs), program.median, program.p95, program.steady() ? "yes" : "", number(program.judged),
              number(program.too_long), number(program.too_short), number(program.sustained),
              percent(program.flagged, program.runs), number(program.alerts));
  std::printf("%6.1f %% %7.1f %% %7.1f %%\n", percent(program.tripled, program.judged),
              percent(program.tripled_median, program.judged), percent(program.tripled_beyond_p95, program.judged));
}

void print_sums(const Judged& all, const Judged& steady) {
  std::printf(
      "\nOf %llu runs: %.2f %% too long, %.2f %% too short, %.2f %% of a sustained shift, %.2f %% for any; "
      "alerts: %.2f %%.\n",
      number(all.runs), percent(all.too_long, all.runs), percent(all.too_short, all.runs),
      percent(all.sustained, all.runs), percent(all.flagged, all.runs), percent(all.alerts, all.runs));
  std::printf(
      "Of %llu runs of steady programs (p95 below twice the median), three times as long: %.1f %% flagged while "
      "running;\nof runs three times as long as usual %.1f %%. A limit at the p95 of all runs, known only "
      "afterwards, flags %.1f %%.\n",
      number(steady.judged), percent(steady.tripled, steady.judged), percent(steady.tripled_median, steady.judged),
      percent(steady.tripled_beyond_p95, steady.judged));
}

}  // namespace

int main() {
  const auto log = kleptometrics::bench::read_log();
  if (log.empty()) {
    std::printf("KLEPTO_TEST_DATA does not name a folder with the log: nothing is measured\n");
    return 0;
  }
  std::printf(
      "Learned limits on a log of %zu programs with at least %zu runs, each run judged by those that had ended "
      "before it\n\n",
      log.size(), kleptometrics::bench::kProgramRunsMin);
  print_head();
  Judged all;
  Judged steady;
  for (const auto& [name, runs] : log) {
    const Judged program = kleptometrics::bench::judge(name, runs);
    print(program);
    all.add(program);
    if (program.steady()) steady.add(program);
  }
  print_sums(all, steady);
  return 0;
}
