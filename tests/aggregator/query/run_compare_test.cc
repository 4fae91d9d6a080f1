#include "aggregator/query/query.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;

// Runs a second apart; the duration of the n-th is n seconds.
struct Kept {
  fakes::FaultyStore store;
  Query query{store};

  explicit Kept(int runs) {
    for (int i = 1; i <= runs; ++i) keep("job", i, State::kSucceeded);
  }
  void keep(const char* job, int number, State state) {
    Run run = started(job, static_cast<std::uint32_t>(number), kStart + seconds(number));
    if (terminal(state)) run = finished(run, seconds(number), state);
    REQUIRE(store.commit({run}, 0).ok());
  }
};

TEST_CASE("a run is compared with the 200 that succeeded before it") {
  Kept kept(250);
  kept.keep("job", 251, State::kFailed);
  kept.keep("other", 252, State::kSucceeded);
  kept.keep("job", 253, State::kRunning);
  const auto newest = kept.query.run_compare(id_of(250), {});
  REQUIRE(newest.ok());
  CHECK(newest->run.id == id_of(250));
  CHECK(newest->baseline->count == kBaselineRuns);
  CHECK(newest->baseline->min == 50.0);
  CHECK(newest->baseline->max == 249.0);
  CHECK(newest->percentile_rank == 1.0);
  CHECK(newest->verdict == stats::Verdict::kSlower);
  const auto failed = kept.query.run_compare(id_of(251), {});
  REQUIRE(failed.ok());
  CHECK(failed->baseline->max == 250.0);
  CHECK(kept.query.run_compare(id_of(1), {})->baseline->count == 0);
  CHECK(kept.query.run_compare(id_of(252), {})->baseline->count == 0);
}

TEST_CASE("a run is compared with another of its job") {
  Kept kept(10);
  const auto comparison = kept.query.run_compare(id_of(10), id_of(5));
  REQUIRE(comparison.ok());
  CHECK(comparison->to->id == id_of(5));
  CHECK(comparison->total.ratio == 2.0);
  CHECK(comparison->verdict == stats::Verdict::kSlower);
}

TEST_CASE("what cannot be compared is refused") {
  Kept kept(2);
  kept.keep("other", 3, State::kSucceeded);
  kept.keep("job", 4, State::kRunning);
  CHECK(absl::IsNotFound(kept.query.run_compare(id_of(9), {}).status()));
  CHECK(absl::IsNotFound(kept.query.run_compare(id_of(1), id_of(9)).status()));
  CHECK(absl::IsAborted(kept.query.run_compare(id_of(4), {}).status()));
  CHECK(absl::IsAborted(kept.query.run_compare(id_of(1), id_of(4)).status()));
  CHECK(absl::IsInvalidArgument(kept.query.run_compare(id_of(1), id_of(3)).status()));
  CHECK(absl::IsInvalidArgument(kept.query.run_compare(id_of(1), id_of(1)).status()));
  kept.store.runs_error = absl::UnavailableError("busy");
  CHECK(absl::IsUnavailable(kept.query.run_compare(id_of(1), {}).status()));
  kept.store.run_error = absl::UnavailableError("busy");
  CHECK(absl::IsUnavailable(kept.query.run_compare(id_of(1), id_of(2)).status()));
}

}  // namespace
}  // namespace kleptometrics::aggregator::query
