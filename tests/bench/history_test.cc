#include "tests/bench/history.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::bench {
namespace {

constexpr std::uint64_t kRuns = 50'000;

HistoryOptions of_seed(std::uint64_t seed) {
  HistoryOptions options;
  options.runs = kRuns;
  options.seed = seed;
  return options;
}

std::vector<Sample> all_of(const History& history) {
  std::vector<Sample> runs;
  for (std::uint64_t number = 0; number < history.options().runs; ++number) runs.push_back(history.run(number));
  return runs;
}

bool roughly(double value, double expected, double relative) {
  return std::abs(value - expected) <= relative * expected;
}

}  // namespace

TEST_CASE("a seed gives the same runs whenever they are asked for, and another seed others") {
  const History one(of_seed(7));
  const History again(of_seed(7));
  const History other(of_seed(8));
  for (const std::uint64_t number : {0ULL, 4711ULL, 49'999ULL}) {
    const Sample run = one.run(number);
    CHECK(run.id == again.run(number).id);
    CHECK(run.duration == again.run(number).duration);
    CHECK(run.id != other.run(number).id);
  }
}

TEST_CASE("runs end one after the other, over ninety days up to the fixed end") {
  const History history(of_seed(1));
  Nanos before = history.begin();
  for (const Sample& run : all_of(history)) {
    CHECK(run.finished_at >= before);
    before = run.finished_at;
  }
  CHECK(before <= history.options().end);
  CHECK(before > history.options().end - kNanosPerDay);
  CHECK(history.options().end - history.begin() == 90 * kNanosPerDay);
}

TEST_CASE("ids are of version 7, tell the millisecond of the start and never repeat") {
  const History history(of_seed(1));
  std::set<Uuid> ids;
  for (const Sample& run : all_of(history)) {
    Nanos millis = 0;
    for (std::size_t i = 0; i < 6; ++i) millis = millis << 8 | run.id.bytes[i];
    CHECK(millis == run.started_at / 1'000'000);
    CHECK((run.id.bytes[6] >> 4) == 7);
    CHECK((run.id.bytes[8] >> 6) == 2);
    ids.insert(run.id);
  }
  CHECK(ids.size() == kRuns);
}

TEST_CASE("one job holds a tenth of the runs, the others share the rest, one run in fifty fails") {
  const History history(of_seed(1));
  std::map<std::uint32_t, double> by_job;
  double failed = 0;
  for (const Sample& run : all_of(history)) {
    by_job[run.job] += 1;
    failed += run.failed ? 1 : 0;
  }
  CHECK(by_job.size() == 1'000);
  CHECK(roughly(by_job[0], 0.1 * kRuns, 0.05));
  for (const auto& [job, runs] : by_job) CHECK((job == 0 || runs < 0.005 * kRuns));
  CHECK(roughly(failed, 0.02 * kRuns, 0.1));
}

TEST_CASE("durations are log-normal around the median of their job, between seconds and an hour") {
  const History history(of_seed(1));
  double sum = 0;
  double squares = 0;
  double above = 0;
  for (const Sample& run : all_of(history)) {
    const double deviation =
        std::log(static_cast<double>(run.duration) / static_cast<double>(history.median_of(run.job)));
    sum += deviation;
    squares += deviation * deviation;
    above += deviation > 0 ? 1 : 0;
  }
  CHECK(std::abs(sum / kRuns) < 0.01);
  CHECK(roughly(std::sqrt(squares / kRuns), History::kSigma, 0.02));
  CHECK(roughly(above, 0.5 * kRuns, 0.02));
  for (std::uint32_t job = 0; job < history.options().jobs; ++job) {
    CHECK(history.median_of(job) >= 2 * kNanosPerSecond);
    CHECK(history.median_of(job) <= 3'600 * kNanosPerSecond);
  }
}

TEST_CASE("the two clocks of a run differ by no more than clocks do") {
  const History history(of_seed(1));
  for (const Sample& run : all_of(history)) {
    const Nanos skew = run.finished_at - run.started_at - run.duration;
    CHECK(std::abs(skew - run.duration / 100'000) <= 2'000);
  }
}

}  // namespace kleptometrics::bench
