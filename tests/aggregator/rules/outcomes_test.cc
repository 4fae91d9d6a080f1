#include <catch2/catch.hpp>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::Failure;
using aggregator::FailureKind;
using aggregator::JobSpec;
using aggregator::Run;
using aggregator::State;
using namespace fakes;

JobSpec enough(std::uint32_t failures, std::uint32_t successes) {
  JobSpec spec;
  spec.failures_before_alert = failures;
  spec.successes_before_recovery = successes;
  return spec;
}

Run crash_verdict(std::uint32_t number, Nanos start, Nanos when) {
  Run run = finished(started("job", number, start), when - start, State::kCrashed);
  run.verdict = true;
  return run;
}

TEST_CASE("A failure opens one alert, and a success closes it") {
  Watched job(JobSpec{});
  Run run = finished(started("job", 1, at(0)), kMinute, State::kFailed);
  run.failure = Failure{FailureKind::kException, "disk full\nat line 3", 0};
  job.take(run, at(0, 1));
  job.ended(2, at(1), State::kFailed);
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].kind == AlertKind::kFailed);
  CHECK(job.alerts()[0].run_id == id_of(1));
  CHECK(job.alerts()[0].opened_at == at(0, 1));
  CHECK(job.alerts()[0].message == "failed at 2026-02-01T00:01:00Z: disk full");
  CHECK(job.alerts()[0].open());
  job.ended(3, at(2), State::kSucceeded);
  CHECK(job.alerts()[0].closed_at == at(2));
  CHECK(job.alerts()[0].message ==
        "failed at 2026-02-01T00:01:00Z: disk full; a run succeeded at 2026-02-01T02:00:00Z");
  job.ended(4, at(3), State::kFailed);
  CHECK(job.alerts().size() == 2);
}

TEST_CASE("As many failures in a row as were asked for open an alert, and as many successes close it") {
  Watched job(enough(3, 2));
  job.ended(1, at(1), State::kFailed);
  job.ended(2, at(2), State::kCrashed);
  job.ended(3, at(3), State::kSucceeded);
  job.ended(4, at(4), State::kFailed);
  job.ended(5, at(5), State::kCanceled);
  job.ended(6, at(6), State::kFailed);
  CHECK(job.alerts().empty());
  job.ended(7, at(7), State::kFailed);
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].run_id == id_of(7));
  CHECK(job.alerts()[0].message == "failed at 2026-02-01T07:00:00Z; 3 runs in a row, and 3 are enough for an alert");
  job.ended(8, at(8), State::kSucceeded);
  job.ended(9, at(9), State::kFailed);
  job.ended(10, at(10), State::kSucceeded);
  CHECK(job.alerts()[0].open());
  job.ended(11, at(11), State::kCanceled);
  job.ended(12, at(12), State::kSucceeded);
  CHECK(job.alerts()[0].closed_at == at(12));
  CHECK(job.alerts().size() == 1);
}

TEST_CASE("A crash is an alert of its own, though a failure was told before it") {
  Watched job(JobSpec{});
  job.ended(1, at(1), State::kFailed);
  Run crashed = crash_verdict(2, at(2), at(2, 30));
  crashed.failure = Failure{FailureKind::kSignal, "", 9};
  job.take(crashed, at(2, 30));
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[1].kind == AlertKind::kCrashed);
  CHECK(job.alerts()[1].message ==
        "crashed at 2026-02-01T02:30:00Z: signal 9; 2 runs in a row, and 1 is enough for an alert");
  job.ended(3, at(4), State::kSucceeded);
  CHECK_FALSE(job.alerts()[0].open());
  CHECK_FALSE(job.alerts()[1].open());
}

TEST_CASE("A verdict that is overruled closes what it opened, and says how the run ended") {
  Watched job(JobSpec{});
  job.start(1, at(0));
  job.take(crash_verdict(1, at(0), at(0, 30)), at(0, 30));
  REQUIRE(job.alerts().size() == 1);

  SECTION("it had succeeded") {
    job.take(finished(started("job", 1, at(0)), 40 * kMinute), at(0, 45));
    REQUIRE(job.alerts().size() == 1);
    CHECK(job.alerts()[0].closed_at == at(0, 45));
    CHECK(job.alerts()[0].message ==
          "crashed at 2026-02-01T00:30:00Z; it is known now that this run succeeded, at 2026-02-01T00:40:00Z");
  }
  SECTION("it had failed") {
    job.take(finished(started("job", 1, at(0)), 40 * kMinute, State::kFailed), at(0, 45));
    REQUIRE(job.alerts().size() == 2);
    CHECK(job.alerts()[0].closed_at == at(0, 45));
    CHECK(job.alerts()[1].kind == AlertKind::kFailed);
    CHECK(job.alerts()[1].open());
  }
  SECTION("others crashed after it") {
    job.take(crash_verdict(2, at(1), at(1, 30)), at(1, 30));
    job.take(finished(started("job", 1, at(0)), 40 * kMinute), at(1, 45));
    REQUIRE(job.alerts().size() == 2);
    CHECK(job.alerts()[0].closed_at == at(1, 45));
    CHECK(job.alerts()[1].run_id == id_of(2));
    CHECK(job.alerts()[1].open());
  }
  SECTION("and an older snapshot comes after all") {
    job.take(finished(started("job", 1, at(0)), 40 * kMinute), at(0, 45));
    const Book before = job.book;
    job.take(crash_verdict(1, at(0), at(0, 30)), at(0, 50));
    job.take(started("job", 1, at(0)), at(0, 51));
    CHECK(job.book == before);
    CHECK(job.watch.state().running.empty());
  }
}

TEST_CASE("Snapshots that are repeated change nothing") {
  Watched job(enough(2, 2));
  job.ended(1, at(1), State::kFailed);
  const auto state = job.watch.state();
  for (int i = 0; i < 3; ++i) job.take(job.runs.at(1), at(1, 1));
  CHECK(job.watch.state() == state);
  CHECK(job.alerts().empty());
}

TEST_CASE("Ends count in their order, though they come to light in another") {
  Watched job(enough(2, 1));
  job.ended(1, at(1), State::kFailed);
  job.ended(3, at(3), State::kFailed);
  REQUIRE(job.alerts().size() == 1);
  job.ended(5, at(5), State::kSucceeded);
  job.ended(6, at(6), State::kFailed);
  CHECK(job.alerts().size() == 1);
  // That the run before it failed as well makes two in a row.
  job.take(finished(started("job", 7, at(5, 30)), kMinute, State::kFailed), at(6, 10));
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[1].run_id == id_of(6));
}

TEST_CASE("History is no news: it opens no alert, and moves a streak only where it is the newest that is known") {
  Watched job(enough(2, 1));
  job.take(finished(started("job", 1, at(0)), kMinute, State::kFailed), at(30));
  job.take(finished(started("job", 2, at(1)), kMinute, State::kFailed), at(30));
  CHECK(job.alerts().empty());
  job.ended(3, at(30), State::kFailed);
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].run_id == id_of(3));
  job.ended(4, at(31), State::kSucceeded);
  job.take(finished(started("job", 5, at(2)), kMinute, State::kFailed), at(32));
  job.ended(6, at(33), State::kFailed);
  CHECK(job.alerts().size() == 1);
}

TEST_CASE("A run that ended a day ago is news, and history thereafter") {
  Watched on_the_day(JobSpec{});
  on_the_day.take(finished(started("job", 1, at(0)), kHour, State::kFailed), at(25));
  CHECK(on_the_day.alerts().size() == 1);
  Watched after(JobSpec{});
  after.take(finished(started("job", 1, at(0)), kHour, State::kFailed), at(25) + 1);
  CHECK(after.alerts().empty());
}

TEST_CASE("Streaks outlive the runs that are remembered") {
  Watched job(enough(70, 1));
  for (std::uint32_t i = 1; i < 70; ++i) job.ended(i, at(i), State::kFailed);
  CHECK(job.watch.state().ended.size() == aggregator::rules::kEndedMax);
  CHECK(job.alerts().empty());
  // Out of order, so that all is counted anew.
  job.take(finished(started("job", 100, at(68, 30)), kMinute, State::kFailed), at(69, 1));
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.watch.state().streak.failures == 70);
}

}  // namespace
}  // namespace kleptometrics
