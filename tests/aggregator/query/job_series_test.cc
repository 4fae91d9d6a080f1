// What a scraper is told of jobs, and what it costs to know.
#include "aggregator/query/job_series.h"

#include <algorithm>

#include "tests/fakes/forwarding_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

// Counts looks into single runs.
struct CountingStore final : fakes::ForwardingStore {
  std::size_t looks = 0;
  absl::Status error;
  absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                               std::size_t limit) override {
    ++looks;
    if (!error.ok()) return error;
    return inner->runs(filter, after, limit);
  }
};

// Jobs that failed a minute after they succeeded.
void fill(Store& store, std::uint32_t jobs) {
  std::vector<Run> runs;
  for (std::uint32_t i = 0; i < jobs; ++i) {
    const std::string job = "job-" + std::to_string(i);
    runs.push_back(finished(started(job, 2 * i), seconds(1)));
    runs.push_back(finished(started(job, 2 * i + 1, kStart + seconds(60)), seconds(1), State::kFailed));
  }
  REQUIRE(store.commit(std::move(runs), kStart).ok());
}

TEST_CASE("what was looked up is remembered until other runs have ended so") {
  CountingStore store;
  fill(store, 3);
  SeriesReader series(store);
  const auto first = series.read(kStart + seconds(100));
  REQUIRE(first.ok());
  REQUIRE(first->size() == 3);
  CHECK(first->at(0).last_success == kStart + seconds(1));
  CHECK(first->at(0).last_failure == kStart + seconds(61));
  CHECK(store.looks == 3);
  REQUIRE(series.read(kStart + seconds(200)).ok());
  CHECK(store.looks == 3);
  const Run earlier = finished(started("job-1", 900, kStart + seconds(30)), seconds(5));
  REQUIRE(store.commit({earlier}, kStart).ok());
  CHECK(series.read(kStart + seconds(300))->at(1).last_success == kStart + seconds(35));
  CHECK(store.looks == 4);
}

TEST_CASE("one call looks up so many at most, and the next ones the others") {
  CountingStore store;
  fill(store, kLooksMax + 500);
  SeriesReader series(store);
  const auto known = [&] {
    const auto all = series.read(kStart + seconds(100));
    REQUIRE(all->size() == kLooksMax + 500);
    return static_cast<std::size_t>(
        std::ranges::count_if(*all, [](const JobSeries& job) { return job.last_success.has_value(); }));
  };
  CHECK(known() == kLooksMax);
  CHECK(known() == kLooksMax + 500);
  CHECK(store.looks == kLooksMax + 500);
}

TEST_CASE("an error of the store is the answer, and nothing is remembered of it") {
  CountingStore store;
  fill(store, 1);
  store.error = absl::UnavailableError("busy");
  SeriesReader series(store);
  CHECK(absl::IsUnavailable(series.read(kStart).status()));
  store.error = absl::OkStatus();
  CHECK(series.read(kStart)->at(0).last_success == kStart + seconds(1));
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
