#include "tests/bench/learned.h"

#include "tests/support/catch.h"

namespace kleptometrics::bench {
namespace {

// Both figures are of runs that are judged by nothing but what had ended before they began.
TEST_CASE("limits learned from a supercomputer's log rarely alarm, and see three times as long while it runs") {
  const auto log = read_log();
  if (log.empty()) {
    WARN("SKIPPED: KLEPTO_TEST_DATA does not name a folder with the log");
    return;
  }
  Judged all;
  Judged steady;
  for (const auto& [name, runs] : log) {
    const Judged program = judge(name, runs);
    all.add(program);
    if (program.steady()) steady.add(program);
  }
  CHECK(log.size() == 83);
  CHECK(all.runs == 16'087);
  CHECK(all.judged >= all.runs * 9 / 10);
  CHECK(all.too_long * 100 <= all.runs * 5);
  CHECK(all.alerts * 100 <= all.runs * 5);
  CHECK(steady.judged >= 300);
  CHECK(steady.tripled * 100 >= steady.judged * 90);
  CHECK(steady.tripled_median * 100 >= steady.judged * 95);
}

}  // namespace
}  // namespace kleptometrics::bench
