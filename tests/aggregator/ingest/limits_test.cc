// The bounds of the door: waiting runs, jobs, new jobs a minute.
#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::seconds;
using fakes::started;
using Kind = Outcome::Kind;

Command of_job(const std::string& job, std::uint32_t number) { return snapshot(started(job, number)); }

TEST_CASE("when the queue is full submissions are turned away, and taken again when there is room") {
  Door door(Committer::Options{.queued_runs_max = 3});
  auto first = door.queue({of_job("a", 1), of_job("a", 2)});
  auto fits = door.queue({of_job("a", 3)});
  const auto refused = door.committer->submit(commands(of_job("a", 4)));
  REQUIRE(absl::IsUnavailable(refused.status()));
  REQUIRE(door.committer->queued_runs() == 3);
  door.committer->run_once();
  REQUIRE(door.committer->queued_runs() == 0);
  REQUIRE_FALSE(door.stored(4));
  REQUIRE(door.one(of_job("a", 4)).kind == Kind::kAccepted);
}

TEST_CASE("a submission larger than the queue is taken when nothing else waits") {
  Door door(Committer::Options{.queued_runs_max = 1});
  REQUIRE(door.submit({of_job("a", 1), of_job("a", 2)}).ok());
}

TEST_CASE("the job beyond the last that fits is deferred, known ones are not") {
  Door door(Committer::Options{.jobs_max = 2});
  const Outcomes outcomes =
      *door.submit({of_job("a", 1), of_job("b", 2), of_job("c", 3), of_job("b", 4), of_job("c", 5)});
  REQUIRE(outcomes[0].kind == Kind::kAccepted);
  REQUIRE(outcomes[1].kind == Kind::kAccepted);
  REQUIRE(outcomes[2].kind == Kind::kDeferred);
  REQUIRE(outcomes[2].field == "job");
  REQUIRE(outcomes[2].detail.find("`c`") != std::string::npos);
  REQUIRE(outcomes[3].kind == Kind::kAccepted);
  REQUIRE(outcomes[4].kind == Kind::kDeferred);
  const Outcome reported = door.one(report(6, State::kRunning, "c"));
  REQUIRE(reported.kind == Kind::kDeferred);
  REQUIRE_FALSE(reported.run);
  REQUIRE_FALSE(reported.created);
  REQUIRE(door.one(report(7, State::kRunning, "a")).kind == Kind::kAccepted);
  REQUIRE_FALSE(door.stored(3));
}

TEST_CASE("jobs that the store knows at the start are known") {
  Door door;
  door.submit({of_job("a", 1), of_job("b", 2)}).IgnoreError();
  door.open(Committer::Options{.jobs_max = 2, .new_jobs_per_minute_max = 0});
  REQUIRE(door.one(of_job("b", 3)).kind == Kind::kAccepted);
  REQUIRE(door.one(of_job("c", 4)).kind == Kind::kDeferred);
}

TEST_CASE("new jobs beyond the rate are deferred until the minute is over") {
  Door door(Committer::Options{.new_jobs_per_minute_max = 2});
  REQUIRE(door.one(of_job("a", 1)).kind == Kind::kAccepted);
  door.clock.advance(seconds(30));
  REQUIRE(door.one(of_job("b", 2)).kind == Kind::kAccepted);
  REQUIRE(door.one(of_job("c", 3)).kind == Kind::kDeferred);
  door.clock.advance(seconds(30) - 1);
  REQUIRE(door.one(of_job("c", 3)).kind == Kind::kDeferred);
  door.clock.advance(1);
  REQUIRE(door.one(of_job("c", 3)).kind == Kind::kAccepted);
  REQUIRE(door.one(of_job("d", 4)).kind == Kind::kDeferred);
}

TEST_CASE("a wall clock that jumps does not lift the rate") {
  Door door(Committer::Options{.new_jobs_per_minute_max = 1});
  door.one(of_job("a", 1));
  door.clock.wall += seconds(3600);
  REQUIRE(door.one(of_job("b", 2)).kind == Kind::kDeferred);
}

TEST_CASE("a group that fails leaves no job behind") {
  Door door(Committer::Options{.jobs_max = 1, .new_jobs_per_minute_max = 1});
  door.store.commit_errors = {absl::UnavailableError("disk full")};
  REQUIRE_FALSE(door.submit(commands(of_job("a", 1))).ok());
  REQUIRE(door.one(of_job("b", 2)).kind == Kind::kAccepted);
  REQUIRE(door.one(of_job("a", 1)).kind == Kind::kDeferred);
}

TEST_CASE("a snapshot that is rejected makes no job") {
  Door door(Committer::Options{.jobs_max = 2});
  door.one(of_job("a", 1));
  REQUIRE(door.one(of_job("wrong", 1)).kind == Kind::kRejected);
  REQUIRE(door.one(of_job("b", 2)).kind == Kind::kAccepted);
}

}  // namespace
}  // namespace kleptometrics::aggregator
