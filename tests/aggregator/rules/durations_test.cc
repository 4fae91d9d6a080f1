#include <catch2/catch.hpp>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::Delay;
using aggregator::DelayKind;
using aggregator::JobSpec;
using aggregator::Run;
using aggregator::State;
using aggregator::rules::Limits;
using namespace fakes;

JobSpec lasting(Nanos max, Nanos min = 0) {
  JobSpec spec;
  spec.max_duration = max;
  spec.min_duration = min;
  return spec;
}

TEST_CASE("A run overruns from its allowed duration on and until its end") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  CHECK(job.watch.next_deadline() == at(0, 30) + 1);
  job.advance(at(0, 30));
  CHECK(job.delays().empty());
  job.advance(at(0, 30) + 1);
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kOverrun);
  CHECK(job.delays()[0].run_id == id_of(1));
  CHECK(job.delays()[0].expected == 30 * kMinute);
  CHECK_FALSE(job.delays()[0].actual);
  CHECK(job.delays()[0].opened_at == at(0, 30));
  CHECK(job.delays()[0].open());
  CHECK_FALSE(job.watch.next_deadline());
  job.finish(1, at(0, 41, 3));
  CHECK(job.delays()[0].closed_at == at(0, 41, 3));
  CHECK(job.delays()[0].actual == 41 * kMinute + 3 * kNanosPerSecond);
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].kind == AlertKind::kOverrun);
  CHECK(job.alerts()[0].opened_at == at(0, 30));
  CHECK(job.alerts()[0].closed_at == at(0, 41, 3));
  CHECK(job.alerts()[0].actual == 41 * kMinute + 3 * kNanosPerSecond);
  CHECK(job.alerts()[0].message ==
        "runs for more than 30 min, since 2026-02-01T00:00:00Z; 30 min are allowed; it took 41 min 3 s");
}

TEST_CASE("Runs that overlap are watched each by itself") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  job.start(2, at(0, 10));
  job.advance(at(0, 35));
  CHECK(job.delays().size() == 1);
  job.advance(at(0, 45));
  CHECK(job.alerts().size() == 2);
  job.finish(2, at(0, 50));
  CHECK(job.delays()[0].open());
  CHECK(job.delays()[1].closed_at == at(0, 50));
}

TEST_CASE("A run that took exactly what is allowed does not overrun") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  job.finish(1, at(0, 30));
  CHECK(job.delays().empty());
}

TEST_CASE("A run that is known only by its end opens and closes at once") {
  Watched job(lasting(30 * kMinute));
  job.take(finished(started("job", 1, at(0)), 40 * kMinute), at(2));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].opened_at == at(0, 30));
  CHECK(job.delays()[0].closed_at == at(0, 40));
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].closed_at == at(0, 40));
}

TEST_CASE("An overrun that a late end disproves is withdrawn") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  job.advance(at(0, 40));
  job.take(finished(job.runs.at(1), 25 * kMinute), at(0, 45));
  CHECK(job.delays().empty());
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].closed_at == at(0, 45));
  CHECK(job.alerts()[0].message ==
        "runs for more than 30 min, since 2026-02-01T00:00:00Z; 30 min are allowed; it is known now that it took 25 "
        "min");
}

TEST_CASE("The steady clock tells how long a run took, and a delay never closes before it opened") {
  Watched job(lasting(30 * kMinute));
  Run run = finished(started("job", 1, at(0)), 40 * kMinute);
  run.finished_at = at(0, 10);  // the wall clock was put back
  job.take(run, at(0, 10));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].actual == 40 * kMinute);
  CHECK(job.delays()[0].closed_at == at(0, 30));
}

TEST_CASE("A run is judged by the limit that held when its overrun was told") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  job.start(2, at(0, 20));
  job.advance(at(0, 31));
  job.replace(lasting(kHour), at(0, 32));
  job.finish(1, at(0, 50));
  job.finish(2, at(1, 10));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].expected == 30 * kMinute);
  CHECK(job.delays()[0].closed_at == at(0, 50));
}

TEST_CASE("A limit that comes while a run is running holds for it") {
  Watched job(JobSpec{});
  job.start(1, at(0));
  job.replace(lasting(30 * kMinute), at(0, 10));
  CHECK(job.watch.next_deadline() == at(0, 30) + 1);
  job.advance(at(0, 31));
  CHECK(job.delays().size() == 1);
}

TEST_CASE("Of more running runs than are watched the first are let go, and what was open of them closed") {
  Watched job(lasting(30 * kMinute));
  job.start(1, at(0));
  job.advance(at(1));
  const std::uint32_t count = aggregator::rules::kRunningMax;
  for (std::uint32_t i = 0; i < count; ++i) job.watch.take(started("job", 10 + i, at(1, 0, i)), at(1, 5));
  job.advance(at(1, 5));
  CHECK(job.watch.state().running.size() == count);
  CHECK(job.delays()[0].closed_at == at(1, 5));
  CHECK(job.alerts()[0].closed_at == at(1, 5));
  job.finish(1, at(1, 20));
  CHECK(job.delays()[0].closed_at == at(1, 20));
  CHECK(job.delays()[0].actual == 80 * kMinute);
}

TEST_CASE("A run that succeeds in less than is expected is too short, and the next that does not closes it") {
  Watched job(lasting(0, kMinute));
  job.start(1, at(0));
  job.finish(1, at(0, 0, 3));
  job.start(2, at(1));
  job.finish(2, at(1, 0, 3), State::kFailed);
  job.start(3, at(2));
  job.finish(3, at(2, 0, 4));
  job.start(4, at(3));
  job.finish(4, at(3, 1));
  const auto alerts = job.alerts(AlertKind::kTooShort);
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].run_id == id_of(1));
  CHECK(alerts[0].opened_at == at(0, 0, 3));
  CHECK(alerts[0].closed_at == at(3, 1));
  CHECK(alerts[0].expected == kMinute);
  CHECK(alerts[0].actual == 3 * kNanosPerSecond);
  CHECK(alerts[0].message == "succeeded after 3 s; at least 1 min are expected; a run took 1 min");
  CHECK(job.delays().empty());
}

TEST_CASE("What has been learned tells slow runs while they run, apart from what is allowed") {
  Watched job(lasting(kHour));
  job.watch.expect(Limits{35 * kMinute, 10 * kMinute, 22 * kMinute, 200});
  job.start(1, at(0));
  CHECK(job.watch.next_deadline() == at(0, 35) + 1);
  job.advance(at(0, 36));
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].kind == AlertKind::kSlower);
  CHECK(job.alerts()[0].opened_at == at(0, 35));
  CHECK(job.delays().empty());
  job.watch.expect(std::nullopt);
  job.finish(1, at(0, 41));
  CHECK(job.alerts()[0].closed_at == at(0, 41));
  CHECK(job.alerts()[0].message ==
        "runs for more than 35 min, since 2026-02-01T00:00:00Z; 22 min are usual, by 200 runs; it took 41 min");
}

TEST_CASE("What has been learned tells runs that are too short") {
  Watched job(JobSpec{});
  job.watch.expect(Limits{std::nullopt, 10 * kMinute, 22 * kMinute, 200});
  job.start(1, at(0));
  job.finish(1, at(0, 3));
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].kind == AlertKind::kTooShort);
  CHECK(job.alerts()[0].message == "succeeded after 3 min; 22 min are usual, by 200 runs, and at least 10 min");
}

}  // namespace
}  // namespace kleptometrics
