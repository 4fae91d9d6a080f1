#include "aggregator/stats/top.h"

#include <map>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::stats {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;

struct Jobs {
  std::map<std::string, Rollup> rollups;
  std::uint32_t number = 0;

  void ran(const std::string& job, double duration, State state = State::kSucceeded, int late_by = 0) {
    Run run = finished(started(job, ++number), seconds(duration), state);
    run.scheduled_at = run.started_at - seconds(late_by);
    rollups[job].add(run, {});
  }
  std::vector<RankedJob> top(Rank rank, std::size_t limit = 10) const {
    std::vector<JobDurations> jobs;
    for (const auto& [job, rollup] : rollups) jobs.push_back({&job, &rollup});
    std::reverse(jobs.begin(), jobs.end());
    return top_of(jobs, rank, limit).jobs;
  }
  std::string names(Rank rank, std::size_t limit = 10) const {
    std::string out;
    for (const RankedJob& job : top(rank, limit)) out += job.job + " ";
    return out;
  }
};

TEST_CASE("ranks are named as they are read") {
  for (const Rank rank : {Rank::kMedian, Rank::kP95, Rank::kMax, Rank::kTotal, Rank::kFailures, Rank::kDelays})
    CHECK(rank_named(name_of(rank)) == rank);
  CHECK(name_of(Rank::kFailures) == "failures");
  CHECK_FALSE(rank_named("mean"));
  CHECK_FALSE(rank_named(""));
}

TEST_CASE("durations are those of runs that succeeded, and a total is exact") {
  Jobs jobs;
  for (int i = 0; i < 100; ++i) jobs.ran("many", 0.1);
  jobs.ran("few", 1);
  jobs.ran("few", 3);
  jobs.ran("few", 100, State::kFailed);
  jobs.ran("failed", 100, State::kFailed);
  CHECK(jobs.names(Rank::kTotal) == "many few ");
  CHECK(jobs.top(Rank::kTotal)[0].value == 10.0);
  CHECK(jobs.top(Rank::kTotal)[1].value == 4.0);
  CHECK(jobs.names(Rank::kMax) == "few many ");
  CHECK(jobs.top(Rank::kMax)[0].value == 3.0);
  CHECK(jobs.top(Rank::kMedian)[0].value == 1.0);
  CHECK(jobs.top(Rank::kP95)[0].value == 3.0);
  CHECK(jobs.top(Rank::kMax)[0].stats.failed == 1);
}

TEST_CASE("failures are those and crashes, delays late starts however the run ended") {
  Jobs jobs;
  jobs.ran("fine", 1);
  jobs.ran("bad", 1, State::kFailed, 61);
  jobs.ran("bad", 1, State::kCrashed);
  jobs.ran("bad", 1, State::kCanceled);
  jobs.ran("late", 1, State::kSucceeded, 61);
  jobs.ran("late", 1, State::kSucceeded, 3600);
  jobs.ran("late", 1, State::kSucceeded, 60);
  CHECK(jobs.names(Rank::kFailures) == "bad ");
  CHECK(jobs.top(Rank::kFailures)[0].value == 2);
  CHECK(jobs.names(Rank::kDelays) == "late bad ");
  CHECK(jobs.top(Rank::kDelays)[0].value == 2);
}

TEST_CASE("equal jobs stand by name, and no more than asked for") {
  Jobs jobs;
  for (const char* job : {"c", "a", "d", "b"}) jobs.ran(job, 5);
  jobs.ran("slow", 6);
  CHECK(jobs.names(Rank::kMax) == "slow a b c d ");
  CHECK(jobs.names(Rank::kMax, 3) == "slow a b ");
  CHECK(jobs.names(Rank::kFailures).empty());
}

}  // namespace
}  // namespace kleptometrics::aggregator::stats
