#include "aggregator/query/query.h"
#include "tests/aggregator/query/instants.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

struct Kept {
  fakes::FaultyStore store;
  Query query{store};
  std::uint32_t number = 0;

  void ran(const std::string& job, double duration, State state = State::kSucceeded, Nanos start = kStart) {
    REQUIRE(store.commit({finished(started(job, ++number, start), seconds(duration), state)}, 0).ok());
  }
  std::string top(stats::Rank rank, TopRequest request = {}) {
    request.rank = rank;
    const auto top = query.top(request);
    REQUIRE(top.ok());
    std::string out;
    for (const stats::RankedJob& job : top->jobs)
      out += job.job + " " + std::to_string(static_cast<int>(job.value)) + " ";
    return out;
  }
};

TEST_CASE("jobs of one view are ranked, by what was asked, of the time that was asked") {
  Kept kept;
  kept.ran("often", 10);
  kept.ran("often", 10);
  kept.ran("often", 10);
  kept.ran("long", 20);
  kept.ran("bad", 99, State::kFailed);
  kept.ran("bad", 99, State::kCrashed);
  kept.ran("old", 50, State::kSucceeded, kStart - stats::kDay);
  CHECK(kept.top(stats::Rank::kMax) == "old 50 long 20 often 10 ");
  CHECK(kept.top(stats::Rank::kTotal) == "old 50 often 30 long 20 ");
  CHECK(kept.top(stats::Rank::kFailures) == "bad 2 ");
  TopRequest recent;
  recent.since = kStart;
  CHECK(kept.top(stats::Rank::kMax, recent) == "long 20 often 10 ");
  recent.limit = 1;
  CHECK(kept.top(stats::Rank::kMax, recent) == "long 20 ");
  CHECK(kept.store.summaries == 5);
  CHECK(kept.store.scans == 0);
}

TEST_CASE("where no run is there is no top") {
  Kept kept;
  CHECK(kept.top(stats::Rank::kMedian).empty());
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
