// How well learned limits do on real work: the log of a supercomputer, walked in the order of its starts, each program
// a job, each run judged by what its program's runs had taken that ended before it began. For the benchmark that prints
// the table, and the test that holds the limits to their promise. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::bench {

// Programs with fewer runs are left out.
inline constexpr std::size_t kProgramRunsMin = 30;

// The log's runs by program, in order of their starts; KLEPTO_TEST_DATA names its folder. Empty where there is none.
std::map<std::string, std::vector<aggregator::Run>> read_log();

struct Judged {
  std::string program;
  std::uint64_t runs = 0;
  double median = 0, p95 = 0;  // seconds, of all of them: what is not known in advance
  std::uint64_t judged = 0;    // had enough runs before them
  std::uint64_t too_long = 0;  // runs, as the next
  std::uint64_t too_short = 0;
  std::uint64_t sustained = 0;
  std::uint64_t flagged = 0;  // for any of the three
  std::uint64_t alerts = 0;   // opened: runs in a row that are flagged for the same are one
  // Of the judged runs, flagged while they ran if they had taken three times as long; and if they had taken three times
  // as long as is usual.
  std::uint64_t tripled = 0, tripled_median = 0;
  // Flagged if they had taken three times as long, by a limit that is known only afterwards: the p95 of all runs.
  std::uint64_t tripled_beyond_p95 = 0;

  // Its durations are close enough together for three times as long to be unusual.
  bool steady() const { return p95 < 2 * median; }
  void add(const Judged& other);
};
// Requires kProgramRunsMin runs in order of their starts.
Judged judge(const std::string& program, const std::vector<aggregator::Run>& runs);

}  // namespace kleptometrics::bench
