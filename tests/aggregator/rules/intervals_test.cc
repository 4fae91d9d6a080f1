#include <catch2/catch.hpp>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::DelayKind;
using aggregator::JobSpec;
using namespace fakes;

TEST_CASE("An interval counts from the last start") {
  Watched job(each(kHour));
  job.start(1, at(0, 30));
  job.start(2, at(1, 35));
  job.start(3, at(2, 40));
  CHECK(job.delays().empty());
  CHECK(job.watch.next_deadline() == at(3, 45) + 1);
  job.start(4, at(3, 45, 1));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kLateStart);
  CHECK(job.delays()[0].scheduled_at == at(3, 40));
  CHECK(job.delays()[0].actual == 5 * kMinute + kNanosPerSecond);
  CHECK(job.delays()[0].opened_at == at(3, 45));
  CHECK(job.delays()[0].closed_at == at(3, 45, 1));
  CHECK(job.delays()[0].run_id == id_of(4));
}

TEST_CASE("A job with an interval that has never run is missed") {
  Watched job(each(kHour));
  job.advance(at(1, 5));
  CHECK(job.delays().empty());
  job.advance(at(1, 6));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].scheduled_at == at(1));
}

TEST_CASE("Of a job with an interval one start is missing, not one for each interval") {
  Watched job(each(kHour));
  job.start(1, at(0));
  job.advance(at(9));
  CHECK_FALSE(job.watch.next_deadline());
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].open());
  job.start(2, at(10));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kLateStart);
  CHECK(job.delays()[0].actual == 9 * kHour);
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[0].kind == AlertKind::kMissed);
  CHECK(job.alerts()[0].opened_at == at(1, 5));
  CHECK(job.alerts()[0].closed_at == at(10));
  CHECK(job.alerts()[1].kind == AlertKind::kLateStart);
  job.start(3, at(11));
  CHECK(job.alerts()[1].closed_at == at(11));
}

TEST_CASE("A start that comes to light corrects the interval before it and the one after it") {
  Watched job(each(kHour));
  job.start(1, at(0));
  job.start(2, at(2, 30));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(1));

  SECTION("on time, with the next late after it") {
    job.take(started("job", 3, at(1)), at(2, 40));
    REQUIRE(job.delays().size() == 1);
    CHECK(job.delays()[0].scheduled_at == at(2));
    CHECK(job.delays()[0].actual == 30 * kMinute);
  }
  SECTION("late, with the next on time after it") {
    job.take(started("job", 3, at(1, 40)), at(2, 40));
    REQUIRE(job.delays().size() == 1);
    CHECK(job.delays()[0].scheduled_at == at(1));
    CHECK(job.delays()[0].actual == 40 * kMinute);
    CHECK(job.delays()[0].run_id == id_of(3));
  }
}

TEST_CASE("A start that comes to light withdraws what was missing, and what is missing since is told") {
  Watched job(each(kHour));
  job.start(1, at(0));
  job.advance(at(3));
  job.take(started("job", 2, at(1, 1)), at(3));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].scheduled_at == at(2, 1));
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[0].closed_at == at(3));
  CHECK(job.alerts()[1].opened_at == at(2, 6));
  CHECK(job.alerts()[1].open());
}

TEST_CASE("Starts beyond what is remembered change nothing when they come to light") {
  Watched job(each(kHour));
  for (std::uint32_t hour = 0; hour < 100; ++hour) job.start(hour + 1, at(hour));
  CHECK(job.watch.state().starts.size() == aggregator::rules::kStartsMax);
  job.take(started("job", 1000, at(3, 30)), at(99));
  CHECK(job.delays().empty());
}

TEST_CASE("A due time in a maintenance window moves on by whole intervals") {
  JobSpec spec = each(kHour);
  spec.maintenance.push_back({at(1), at(3, 30), "", 0});
  Watched job(spec);
  job.start(1, at(0, 20));
  CHECK(job.watch.next_deadline() == at(4, 25) + 1);
  job.advance(at(5));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(4, 20));
}

}  // namespace
}  // namespace kleptometrics
