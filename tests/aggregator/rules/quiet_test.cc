#include <catch2/catch.hpp>

#include "tests/aggregator/rules/watched.h"

namespace kleptometrics {
namespace {

using aggregator::AlertKind;
using aggregator::DelayKind;
using aggregator::JobSpec;
using aggregator::kNanosEnd;
using aggregator::State;
using namespace fakes;

JobSpec with_window(JobSpec spec, Nanos since, Nanos until) {
  spec.maintenance.push_back({since, until, "", 0});
  return spec;
}

JobSpec with_pause(JobSpec spec, Nanos until) {
  spec.paused_until = until;
  return spec;
}

TEST_CASE("Occurrences in a maintenance window are not expected, and a start there is not late") {
  Watched job(with_window(hourly(), at(1), at(3)));
  job.start(1, at(0));
  job.start(2, at(2, 20));
  job.advance(at(3, 5));
  CHECK(job.delays().empty());
  job.advance(at(3, 6));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(3));
}

TEST_CASE("A window that returns is kept each time") {
  JobSpec spec = hourly();
  spec.maintenance.push_back({0, 0, "30 1 * * *", kHour});
  Watched job(spec);
  job.advance(at(48));
  CHECK(job.delays().size() == 46);
}

TEST_CASE("No alert opens in a window, though what is delayed is recorded") {
  JobSpec spec = with_window(hourly(), at(1, 3), at(1, 40));
  spec.max_duration = 20 * kMinute;
  Watched job(spec);
  job.start(1, at(0));
  job.finish(1, at(0, 1));
  job.start(2, at(1, 10));
  job.advance(at(1, 31));
  job.finish(2, at(1, 35), State::kFailed);
  REQUIRE(job.delays().size() == 2);
  CHECK(job.delays()[0].kind == DelayKind::kLateStart);
  CHECK(job.delays()[1].kind == DelayKind::kOverrun);
  CHECK(job.alerts().empty());
}

TEST_CASE("An alert closes in a window") {
  Watched job(with_window(JobSpec{}, at(1), at(3)));
  job.ended(1, at(0, 30), State::kFailed);
  job.ended(2, at(2), State::kSucceeded);
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].closed_at == at(2));
}

TEST_CASE("A paused job is not expected until the pause ends") {
  Watched job(hourly());
  job.start(1, at(0));
  job.replace(with_pause(hourly(), at(3)), at(0, 30));
  CHECK(job.watch.next_deadline() == at(3, 5) + 1);
  job.advance(at(3, 5));
  CHECK(job.delays().empty());
  job.advance(at(3, 6));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(3));
}

TEST_CASE("A job that is paused until it is resumed waits for nothing") {
  Watched job(hourly());
  job.start(1, at(0));
  job.replace(with_pause(hourly(), kNanosEnd), at(0, 30));
  CHECK_FALSE(job.watch.next_deadline());
  job.advance(at(500));
  job.ended(2, at(501), State::kFailed);
  CHECK(job.delays().empty());
  CHECK(job.alerts().empty());
  job.replace(hourly(), at(501, 30));
  CHECK(job.watch.next_deadline() == at(502, 5) + 1);
  job.advance(at(502, 6));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].scheduled_at == at(502));
}

TEST_CASE("A pause closes what is missing, and a job that is resumed early is expected at once") {
  Watched job(hourly());
  job.advance(at(0, 10));
  job.replace(with_pause(hourly(), at(9)), at(0, 20));
  REQUIRE(job.delays().size() == 1);
  CHECK(job.delays()[0].kind == DelayKind::kMissed);
  CHECK(job.delays()[0].closed_at == at(0, 20));
  CHECK(job.alerts()[0].closed_at == at(0, 20));
  CHECK(job.alerts()[0].message ==
        "not started 5 min after 2026-02-01T00:00:00Z, which is all that is allowed; the job is paused now");
  job.replace(hourly(), at(2));
  job.advance(at(2, 6));
  REQUIRE(job.delays().size() == 2);
  CHECK(job.delays()[1].scheduled_at == at(2));
}

TEST_CASE("A pause of a job with an interval moves its due time out, and its end starts anew") {
  Watched job(each(kHour));
  job.start(1, at(0));
  job.replace(with_pause(each(kHour), at(3, 10)), at(0, 30));
  CHECK(job.watch.next_deadline() == at(3, 35) + 1);
  job.replace(each(kHour), at(1, 10));
  CHECK(job.watch.next_deadline() == at(2, 15) + 1);

  job.replace(with_pause(each(kHour), at(4)), at(1, 20));
  job.advance(at(4, 10));
  job.replace(each(kHour), at(4, 20));  // what is over is cleared away
  CHECK(job.delays().empty());
  CHECK(job.watch.next_deadline() == at(5, 5) + 1);
}

TEST_CASE("Another schedule closes what is missing, and expects nothing of the past") {
  Watched job(hourly());
  job.advance(at(2, 10));
  JobSpec daily = hourly();
  daily.cron = "0 2 * * *";
  job.replace(daily, at(2, 20));
  CHECK(job.delays().size() == 3);
  for (const auto& delay : job.delays()) CHECK_FALSE(delay.open());
  REQUIRE(job.alerts().size() == 1);
  CHECK(job.alerts()[0].closed_at == at(2, 20));
  CHECK(job.watch.next_deadline() == at(26, 5) + 1);
}

TEST_CASE("Another schedule knows the runs that started before it") {
  Watched job(each(kHour));
  job.start(1, at(0, 55));
  job.start(2, at(1, 55));
  job.replace(hourly(), at(1, 58));
  job.advance(at(2, 30));
  CHECK(job.delays().empty());
}

TEST_CASE("What changes nothing of when the job is expected leaves what is missing open") {
  Watched job(hourly());
  job.advance(at(0, 10));
  JobSpec spec = hourly();
  spec.description = "now with words";
  job.replace(spec, at(0, 20));
  CHECK(job.delays()[0].open());
  CHECK(job.alerts()[0].open());
}

}  // namespace
}  // namespace kleptometrics
