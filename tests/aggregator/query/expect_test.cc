#include "aggregator/query/query.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

constexpr Nanos kHour = 3600 * kNanosPerSecond;

struct Jobs {
  fakes::FaultyStore store;
  Query query{store};
  std::uint32_t number = 0;

  void keep(const Run& run) { REQUIRE(store.commit({run}, 0).ok()); }
  // Hourly, of so many seconds each.
  void ran(const std::string& job, int runs, double duration, State state = State::kSucceeded) {
    for (int i = 0; i < runs; ++i) {
      ++number;
      keep(finished(started(job, number, kStart + number * kHour), seconds(duration), state));
    }
  }
  Run running(const std::string& job) {
    ++number;
    Run run = started(job, number, kStart + number * kHour);
    keep(run);
    return run;
  }
};

TEST_CASE("a job tells what is typical of its newest runs that succeeded, a list of jobs does not") {
  Jobs jobs;
  jobs.ran("import", 10, 9000);
  jobs.ran("import", 200, 600);
  jobs.ran("import", 30, 5, State::kFailed);
  const auto job = jobs.query.job("import", kStart);
  REQUIRE(job.ok());
  REQUIRE(job->typical);
  CHECK(job->typical->median == 600);
  CHECK(job->typical->low == 600);
  CHECK(job->typical->high == 600);
  CHECK(job->typical->period == 3600);
  CHECK(job->typical->runs == 200);
  CHECK_FALSE(jobs.query.jobs({})->jobs.front().typical);
}

TEST_CASE("nothing is typical of a job with fewer than eight runs that succeeded") {
  Jobs jobs;
  jobs.ran("import", 7, 600);
  CHECK_FALSE(jobs.query.job("import", kStart)->typical);
  jobs.ran("import", 1, 600);
  CHECK(jobs.query.job("import", kStart)->typical);
}

TEST_CASE("a run that is running ends when those before it did, one that has ended does not end again") {
  Jobs jobs;
  jobs.ran("import", 20, 600);
  const Run run = jobs.running("import");
  const auto eta = jobs.query.eta(run, run.started_at + seconds(60));
  REQUIRE(eta.ok());
  REQUIRE(*eta);
  CHECK((*eta)->median == run.started_at + seconds(600));
  CHECK_FALSE(*jobs.query.eta(finished(run, seconds(60)), run.started_at + kHour));
  CHECK_FALSE(*jobs.query.eta(started("unknown", 999), kStart));
}

TEST_CASE("runs of many jobs get the ends of the first jobs alone, each in its place") {
  Jobs jobs;
  std::vector<Run> runs;
  for (std::size_t i = 0; i <= kEtaJobsMax; ++i) {
    const std::string job = "job-" + std::to_string(i);
    jobs.ran(job, 8, 60.0 * static_cast<double>(i + 1));
    runs.push_back(finished(jobs.running(job), seconds(1)));
    runs.push_back(jobs.running(job));
  }
  const auto etas = jobs.query.etas(runs, kStart);
  REQUIRE(etas.ok());
  REQUIRE(etas->size() == runs.size());
  for (std::size_t i = 0; i <= kEtaJobsMax; ++i) {
    CHECK_FALSE((*etas)[2 * i]);
    REQUIRE((*etas)[2 * i + 1].has_value() == (i < kEtaJobsMax));
    if (i == kEtaJobsMax) continue;
    const double took = 60.0 * static_cast<double>(i + 1);
    CHECK((*etas)[2 * i + 1]->median == runs[2 * i + 1].started_at + seconds(took));
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
