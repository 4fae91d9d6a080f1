#include "aggregator/ingest/committer.h"

#include <atomic>

#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using Kind = Outcome::Kind;
using Why = Outcome::Why;

TEST_CASE("a snapshot is committed as it is") {
  Door door;
  const Run run = started("nightly", 1);
  REQUIRE(door.one(snapshot(run)).kind == Kind::kAccepted);
  REQUIRE(door.stored(1) == run);
  REQUIRE(door.one(snapshot(run)).kind == Kind::kDuplicate);
  REQUIRE(door.one(snapshot(finished(run, seconds(1)))).kind == Kind::kAccepted);
  REQUIRE(door.one(snapshot(run)).kind == Kind::kDuplicate);
}

TEST_CASE("a snapshot that contradicts the known run is rejected") {
  Door door;
  door.one(snapshot(started("nightly", 1)));
  const Outcome job = door.one(snapshot(started("weekly", 1)));
  REQUIRE(job.kind == Kind::kRejected);
  REQUIRE(job.why == Why::kConflict);
  REQUIRE(job.field == "job");
  const Outcome start = door.one(snapshot(started("nightly", 1, kStart + 1)));
  REQUIRE(start.kind == Kind::kRejected);
  REQUIRE(start.why == Why::kConflict);
  REQUIRE(start.field == "started_at");
}

TEST_CASE("snapshots never make the committer read the store") {
  Door door;
  std::vector<Command> batch;
  for (std::uint32_t i = 1; i <= 1000; ++i) batch.push_back(snapshot(started("nightly", i)));
  REQUIRE(door.submit(std::move(batch)).ok());
  REQUIRE(door.store.run_reads == 0);
  REQUIRE(door.store.commit_sizes == std::vector<std::size_t>{1000});
}

TEST_CASE("a run reported over HTTP starts when it was submitted, and is given an id if it has none") {
  Door door;
  ReportRun anonymous = report(1);
  anonymous.run.id = {};
  auto waiting = door.queue(commands(anonymous));
  const Nanos submitted = door.clock.wall;
  door.clock.advance(seconds(9));
  door.committer->run_once();
  const Outcome outcome = waiting->join()->front();
  REQUIRE(outcome.kind == Kind::kAccepted);
  REQUIRE(outcome.created);
  REQUIRE_FALSE(outcome.run->id.none());
  REQUIRE(outcome.run->started_at == submitted);
  REQUIRE(*door.store.inner->run(outcome.run->id) == outcome.run);
}

TEST_CASE("a run reported over HTTP goes from start to end") {
  Door door;
  REQUIRE(door.one(report(1)).created);
  door.clock.advance(seconds(3));
  PatchRun progress = patch(1);
  progress.counters["rows"] = 7;
  REQUIRE(door.one(progress).kind == Kind::kAccepted);
  const Outcome end = door.one(report(1, State::kSucceeded));
  REQUIRE(end.kind == Kind::kAccepted);
  REQUIRE_FALSE(end.created);
  REQUIRE(end.run->revision == 3);
  REQUIRE(end.run->duration == seconds(3));
  REQUIRE(end.run->counters.at("rows") == 7);
  REQUIRE(door.stored(1) == end.run);
  const Outcome again = door.one(report(1, State::kSucceeded));
  REQUIRE(again.kind == Kind::kDuplicate);
  REQUIRE(again.run == end.run);
  const std::size_t commits = door.store.commit_sizes.size();
  REQUIRE(door.one(report(1, State::kFailed)).why == Why::kConflict);
  REQUIRE(door.one(patch(2)).why == Why::kNotFound);
  REQUIRE(door.store.commit_sizes.size() == commits);  // nothing to commit, nothing committed
}

TEST_CASE("labels may be added to a run of the library at any time, and survive whatever its program sends") {
  Door door;
  PatchRun early = patch(1);
  early.labels["owner"] = "ops";
  door.one(snapshot(started("nightly", 1)));
  REQUIRE(door.one(early).kind == Kind::kAccepted);
  const Run run = finished(started("nightly", 1), seconds(1));
  door.one(snapshot(run));
  PatchRun label = patch(1);
  label.labels["ticket"] = "42";
  REQUIRE(door.one(label).kind == Kind::kAccepted);
  REQUIRE(door.one(snapshot(run)).kind == Kind::kDuplicate);
  REQUIRE(door.stored(1)->state == State::kSucceeded);
  REQUIRE(effective_labels(*door.stored(1)) == Labels{{"owner", "ops"}, {"ticket", "42"}});
  REQUIRE(door.stored(1)->labels.empty());
}

TEST_CASE("while the store is unavailable nothing is applied, and then all of it") {
  Door door;
  door.store.commit_errors = {absl::UnavailableError("disk full")};
  std::vector<Command> batch;
  batch.push_back(snapshot(started("nightly", 1)));
  batch.push_back(report(2));
  batch.push_back(patch(99));
  REQUIRE(absl::IsUnavailable(door.submit(batch).status()));
  REQUIRE_FALSE(door.stored(1));
  REQUIRE(door.committer->fatal_error().ok());
  const auto again = door.submit(batch);
  REQUIRE(again.ok());
  REQUIRE((*again)[0].kind == Kind::kAccepted);
  REQUIRE((*again)[1].kind == Kind::kAccepted);
  REQUIRE((*again)[1].created);
  REQUIRE((*again)[2].why == Why::kNotFound);
}

TEST_CASE("a store that cannot be read for now fails the group for now") {
  Door door;
  door.store.run_error = absl::UnavailableError("busy");
  REQUIRE(absl::IsUnavailable(door.submit(commands(report(1))).status()));
  REQUIRE(door.store.commit_sizes.empty());
  door.store.run_error = absl::OkStatus();
  REQUIRE(door.one(report(1)).kind == Kind::kAccepted);
}

TEST_CASE("after a failure for good nothing is committed any more, and everybody is told") {
  const absl::Status error = GENERATE(absl::DataLossError("fsync"), absl::InternalError("malformed"));
  Door door(Committer::Options{.group_runs_max = 1});
  door.store.commit_errors = {error};
  auto first = door.queue(commands(snapshot(started("nightly", 1))));
  auto second = door.queue(commands(snapshot(started("nightly", 2))));
  REQUIRE(door.committer->run_once());
  REQUIRE(first->join().status() == error);
  REQUIRE(second->join().status() == error);
  REQUIRE(door.committer->fatal_error() == error);
  REQUIRE(door.committer->submit(commands(report(3))).status() == error);
  REQUIRE(door.store.commit_sizes.size() == 1);
  REQUIRE_FALSE(door.committer->run_once());
}

TEST_CASE("a failure for good ends the thread, and stop() still returns") {
  Door door;
  door.store.commit_errors = {absl::DataLossError("fsync")};
  door.committer->start();
  REQUIRE(absl::IsDataLoss(door.committer->submit(commands(report(1))).status()));
  REQUIRE(absl::IsDataLoss(door.committer->submit(commands(report(1))).status()));
  door.committer->stop();
}

void require_stopped(Door& door) {
  REQUIRE(absl::IsUnavailable(door.committer->submit(commands(report(1))).status()));
  door.committer->stop();  // again
  REQUIRE_FALSE(door.stored(1));
}

TEST_CASE("stopping commits what is waiting and takes nothing new") {
  Door door;
  auto waiting = door.queue(commands(snapshot(started("nightly", 9))));
  door.committer->stop();
  REQUIRE(waiting->join().ok());
  REQUIRE(door.stored(9));
  require_stopped(door);
}

TEST_CASE("stopping the thread in the middle of a commit drains what came meanwhile") {
  Door door;
  std::atomic<bool> inside = false, go_on = false;
  door.store.during_commit = [&] {
    inside = true;
    while (!go_on) std::this_thread::yield();
  };
  door.committer->start();
  Submission held(*door.committer, commands(snapshot(started("nightly", 8))));
  while (!inside) std::this_thread::yield();
  auto waiting = door.queue(commands(snapshot(started("nightly", 9))));
  std::thread stopper([&] { door.committer->stop(); });
  go_on = true;
  stopper.join();
  REQUIRE(held.join().ok());
  REQUIRE(waiting->join().ok());
  REQUIRE(door.stored(9));
  require_stopped(door);
}

TEST_CASE("no commands have no outcomes and wait for nobody") {
  Door door;
  const auto outcomes = door.committer->submit({});
  REQUIRE(outcomes.ok());
  REQUIRE(outcomes->empty());
  REQUIRE_FALSE(door.committer->run_once());
}

TEST_CASE("a committer is not made where the known jobs cannot be read") {
  Door door;
  door.store.jobs_error = absl::UnavailableError("busy");
  const auto made = Committer::create(door.store, door.clock, {});
  REQUIRE(absl::IsUnavailable(made.status()));
  REQUIRE(made.status().ToString().find("read the known jobs: busy") != std::string::npos);
}

TEST_CASE("many submitters at once lose nothing and count nothing twice") {
  constexpr std::uint32_t kSubmitters = 8, kEach = 200;
  Door door;
  door.committer->start();
  std::atomic<std::uint64_t> accepted = 0, duplicates = 0;
  std::vector<std::thread> submitters;
  for (std::uint32_t s = 0; s < kSubmitters; ++s) {
    submitters.emplace_back([&, s] {
      for (std::uint32_t i = 0; i < kEach; ++i) {
        std::vector<Command> batch;
        batch.push_back(snapshot(started("own" + std::to_string(s), 1 + s * kEach + i)));
        batch.push_back(snapshot(started("shared", 1'000'000 + i)));  // by everybody
        ReportRun counted = report(2'000'000);
        counted.run.counters["of" + std::to_string(s)] = i + 1;
        batch.push_back(counted);
        const auto outcomes = door.committer->submit(std::move(batch));
        if (!outcomes.ok()) continue;
        for (const Outcome& outcome : *outcomes) {
          accepted += outcome.kind == Kind::kAccepted;
          duplicates += outcome.kind == Kind::kDuplicate;
        }
      }
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  door.committer->stop();
  REQUIRE(accepted == kSubmitters * kEach + kEach + kSubmitters * kEach);
  REQUIRE(duplicates == (kSubmitters - 1) * kEach);
  const Run counted = *door.stored(2'000'000);
  REQUIRE(counted.revision == kSubmitters * kEach);
  for (const auto& [name, value] : counted.counters) REQUIRE(value == kEach);
  REQUIRE(counted.counters.size() == kSubmitters);
}

}  // namespace
}  // namespace kleptometrics::aggregator
