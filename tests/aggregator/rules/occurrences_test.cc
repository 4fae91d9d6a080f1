#include <catch2/catch.hpp>

#include "lib/base/instant.h"
#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::Alert;
using aggregator::AlertKind;
using aggregator::Delay;
using aggregator::DelayKind;
using aggregator::JobSpec;
using aggregator::Run;
using aggregator::State;
using namespace fakes;

TEST_CASE("A start up to the grace after its time is on time, at it included") {
  Watched job(hourly());
  job.start(1, at(0));
  job.start(2, at(1, 5));
  job.advance(at(2, 5));
  CHECK(job.delays().empty());
  CHECK(job.alerts().empty());
}

TEST_CASE("An occurrence without a start is missed from its time and grace on, not from when that is seen") {
  Watched job(hourly());
  job.start(1, at(0));
  CHECK(job.watch.next_deadline() == at(1, 5) + 1);
  job.advance(at(1, 20));
  REQUIRE(job.delays().size() == 1);
  const Delay delay = job.delays()[0];
  CHECK(delay.kind == DelayKind::kMissed);
  CHECK(delay.job == "job");
  CHECK(delay.run_id.none());
  CHECK(delay.scheduled_at == at(1));
  CHECK(delay.expected == 5 * kMinute);
  CHECK_FALSE(delay.actual);
  CHECK(delay.opened_at == at(1, 5));
  CHECK(delay.open());
  REQUIRE(job.alerts().size() == 1);
  const Alert alert = job.alerts()[0];
  CHECK(alert.kind == AlertKind::kMissed);
  CHECK(alert.opened_at == at(1, 5));
  CHECK(alert.message == "not started 5 min after 2026-02-01T01:00:00Z, which is all that is allowed");
  CHECK(alert.open());
}

TEST_CASE("A start before the next occurrence turns what was missed into a late start") {
  Watched job(hourly());
  job.start(1, at(0));
  job.advance(at(1, 6));
  job.start(2, at(1, 12, 30));
  REQUIRE(job.delays().size() == 1);
  const Delay delay = job.delays()[0];
  CHECK(delay.kind == DelayKind::kLateStart);
  CHECK(delay.run_id == id_of(2));
  CHECK(delay.actual == 12 * kMinute + 30 * kNanosPerSecond);
  CHECK(delay.opened_at == at(1, 5));
  CHECK(delay.closed_at == at(1, 12, 30));
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[0].kind == AlertKind::kMissed);
  CHECK(job.alerts()[0].closed_at == at(1, 12, 30));
  CHECK(job.alerts()[0].message ==
        "not started 5 min after 2026-02-01T01:00:00Z, which is all that is allowed; a run started at "
        "2026-02-01T01:12:30Z");
  CHECK(job.alerts()[1].kind == AlertKind::kLateStart);
  CHECK(job.alerts()[1].message == "started 12 min 30 s after 2026-02-01T01:00:00Z; 5 min are allowed");
  CHECK(job.alerts()[1].expected == 5 * kMinute);
  CHECK(job.alerts()[1].actual == 12 * kMinute + 30 * kNanosPerSecond);
  CHECK(job.alerts()[1].open());
}

TEST_CASE("A late start alert stays until a start is on time, however many are late") {
  Watched job(hourly());
  job.start(1, at(0, 10));
  job.start(2, at(1, 10));
  job.start(3, at(2));
  const auto late = job.alerts(AlertKind::kLateStart);
  REQUIRE(late.size() == 1);
  CHECK(late[0].run_id == id_of(1));
  CHECK(late[0].closed_at == at(2));
  CHECK(late[0].message ==
        "started 10 min after 2026-02-01T00:00:00Z; 5 min are allowed; the start at 2026-02-01T02:00:00Z was on time");
}

TEST_CASE("What is missed stays so when the next occurrence comes") {
  Watched job(hourly());
  job.start(1, at(0));
  job.advance(at(1, 6));
  CHECK(job.watch.next_deadline() == at(2));
  job.advance(at(2));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].closed_at == at(2));
  CHECK(job.alerts()[0].open());
}

TEST_CASE("A run of occurrences that are missed is one alert, which the next start closes") {
  Watched job(hourly());
  job.advance(at(3, 30));
  CHECK(job.delays().size() == 4);
  job.start(1, at(4));
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].opened_at == at(0, 5));
  CHECK(job.alerts()[0].closed_at == at(4));
  job.advance(at(5, 10));
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[1].opened_at == at(5, 5));
}

TEST_CASE("A job that has a schedule and has never run is missed") {
  Watched job(hourly(), at(0, 30));
  job.advance(at(1, 5));
  CHECK(job.delays().empty());
  job.advance(at(1, 5) + 1);
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(1));
}

TEST_CASE("An occurrence before the specification was put is not expected, one at that instant is") {
  Watched job(hourly(), at(1));
  job.advance(at(2));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(1));
}

TEST_CASE("An early start takes the occurrence to come") {
  Watched job(hourly());
  job.start(1, at(0));
  job.start(2, at(0, 50));
  job.advance(at(1, 30));
  CHECK(job.delays().empty());
}

TEST_CASE("A run without an occurrence of its own takes the nearer one, the earlier of two at the same distance") {
  Watched near_first(hourly());
  near_first.start(1, at(0, 30));
  REQUIRE(near_first.delays().size() == 1);
  CHECK(near_first.delays()[0].scheduled_at == at(0));
  CHECK(near_first.delays()[0].actual == 30 * kMinute);
  near_first.advance(at(1, 5) + 1);
  CHECK(near_first.delays().size() == 2);

  Watched near_second(hourly());
  near_second.start(1, at(0, 30, 1));
  near_second.advance(at(1, 30));
  REQUIRE(near_second.delays().size() == 1);
  CHECK(near_second.delays()[0].scheduled_at == at(0));
  CHECK(near_second.delays()[0].kind == DelayKind::kMissed);
}

TEST_CASE("A run that names its occurrence takes that one, however late it is") {
  Watched job(hourly());
  job.start(1, at(0));
  job.start(2, at(1, 50), at(1));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kLateStart);
  CHECK(job.delays()[0].actual == 50 * kMinute);
  job.advance(at(2, 6));
  CHECK(job.delays().size() == 2);  // and not the one it is nearer to
}

TEST_CASE("A start after the next occurrence comes too late for the one it names") {
  Watched job(hourly());
  job.start(1, at(0));
  job.start(2, at(2, 0, 1), at(1));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].closed_at == at(2));
  CHECK(job.alerts(AlertKind::kLateStart).empty());
  CHECK(job.alerts(AlertKind::kMissed)[0].closed_at == at(2, 0, 1));
}

TEST_CASE("Attempts share an occurrence") {
  Watched job(hourly());
  job.start(1, at(0), at(0));
  job.start(2, at(0, 20), at(0));
  Run third = started("job", 3, at(0, 40));
  third.attempt = 3;
  job.take(third, at(0, 40));
  CHECK(job.delays().empty());
  job.advance(at(1, 6));
  CHECK(job.delays().size() == 1);  // the third attempt did not take this one
}

TEST_CASE("An extra run takes no occurrence and is not late") {
  Watched job(hourly());
  job.start(1, at(0));
  job.start(2, at(0, 20));
  CHECK(job.delays().empty());
  job.advance(at(1, 6));
  CHECK(job.delays().size() == 1);
}

TEST_CASE("With a grace of more than a period an occurrence is missed when its grace is over") {
  Watched job(hourly(90 * kMinute));
  job.advance(at(1, 30) + 1);
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].opened_at == at(1, 30));
  CHECK(job.delays()[0].closed_at == at(1, 30));
}

TEST_CASE("A run that names a time of which the schedule knows nothing may be late, and is not missed") {
  Watched job(JobSpec{});
  job.start(1, at(1, 0, 59), at(1));
  CHECK(job.delays().empty());
  job.start(2, at(5, 2), at(2));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kLateStart);
  CHECK(job.delays()[0].actual == 3 * kHour + 2 * kMinute);
  CHECK(job.delays()[0].opened_at == at(2, 1));
  CHECK(job.alerts(AlertKind::kMissed).empty());
  CHECK_FALSE(job.watch.next_deadline());
}

TEST_CASE("A start that comes to light late corrects what was missed, and says so") {
  Watched job(hourly());
  job.start(1, at(0));
  job.advance(at(1, 10));
  CHECK(job.delays().size() == 1);
  job.take(started("job", 2, at(1, 2)), at(1, 20));
  CHECK(job.delays().empty());
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].closed_at == at(1, 20));
  CHECK(
      job.alerts()[0].message ==
      "not started 5 min after 2026-02-01T01:00:00Z, which is all that is allowed; it is known now that a run started "
      "in time, at 2026-02-01T01:02:00Z");
}

TEST_CASE("A missed alert that was opened by what is disproved opens anew where something is still missing") {
  Watched job(hourly());
  job.advance(at(2, 30));
  job.take(started("job", 1, at(0, 2)), at(2, 30));
  CHECK(job.delays().size() == 2);
  REQUIRE(job.alerts().size() == 2);
  CHECK(job.alerts()[0].closed_at == at(2, 30));
  CHECK(job.alerts()[1].opened_at == at(1, 5));
  CHECK(job.alerts()[1].open());
}

TEST_CASE("A second start that comes to light and was first makes a late start earlier") {
  Watched job(hourly());
  job.start(1, at(0, 20));
  job.take(started("job", 2, at(0, 10)), at(0, 21));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].actual == 10 * kMinute);
  CHECK(job.delays()[0].run_id == id_of(2));
}

TEST_CASE("A downtime finds what happened meanwhile in its order, runs of it taken first") {
  Watched job(hourly());
  job.start(1, at(0));
  for (std::uint32_t hour = 20; hour > 0; --hour) {
    if (hour != 7) job.watch.take(started("job", 1 + hour, at(hour, hour == 9 ? 15 : 1)), at(20, 30));
  }
  job.advance(at(20, 30));
  REQUIRE(job.delays().size() == 2);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].closed_at == at(8));
  CHECK(job.delays()[1].kind == DelayKind::kLateStart);
  REQUIRE(job.alerts().size() == 3);
  CHECK(job.alerts()[0].closed_at == at(8, 1));
  CHECK(job.alerts()[1].opened_at == at(9, 5));
  CHECK(job.alerts()[1].closed_at == at(9, 15));
  CHECK(job.alerts()[2].closed_at == at(10, 1));
}

TEST_CASE("Beyond what is remembered a start that comes to light changes nothing") {
  Watched job(hourly());
  job.advance(at(100));
  const Book before = job.book;
  job.take(started("job", 1, at(3)), at(100));
  CHECK(job.book == before);
  CHECK(job.watch.state().slots.size() == aggregator::rules::kSlotsMax);
}

TEST_CASE("Of more starts than may wait to be judged nothing is invented") {
  JobSpec spec = hourly(30 * kNanosPerSecond);
  spec.cron = "* * * * *";
  Watched job(spec);
  const std::uint32_t count = aggregator::rules::kSlotsAheadMax + 500;
  for (std::uint32_t minute = 0; minute < count; ++minute) {
    job.watch.take(started("job", minute, at(0, minute)), at(0, count));
  }
  job.advance(at(0, count - 1, 40));
  CHECK(job.delays().empty());
  CHECK(job.watch.state().slots.size() <= aggregator::rules::kSlotsMax);
}

TEST_CASE("Of more snapshots than may wait to be concluded nothing is invented") {
  JobSpec spec = hourly(30 * kNanosPerSecond);
  spec.cron = "* * * * *";
  Watched job(spec);
  const std::uint32_t count = aggregator::rules::kPendingMax + 500;
  for (std::uint32_t minute = 0; minute < count; ++minute) {
    job.watch.take(started("job", minute, at(0, minute)), at(0, count));
  }
  CHECK(job.watch.state().pending.size() == aggregator::rules::kPendingMax);
  job.advance(at(0, count - 1, 40));
  CHECK(job.delays().empty());
}

}  // namespace
}  // namespace kleptometrics
