// What shares a transaction, and what commands of one group see of each other.
#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::kStart;
using fakes::seconds;
using fakes::started;
using Kind = Outcome::Kind;
using Why = Outcome::Why;
using Sizes = std::vector<std::size_t>;

Command numbered(std::uint32_t number) { return snapshot(started("nightly", number)); }

TEST_CASE("submissions that wait together are committed together") {
  Door door;
  std::vector<std::unique_ptr<Submission>> all;
  for (std::uint32_t i = 1; i <= 5; ++i) all.push_back(door.queue(commands(numbered(i))));
  REQUIRE(door.committer->run_once());
  for (const auto& each : all) REQUIRE(each->join()->front().kind == Kind::kAccepted);
  REQUIRE(door.store.commit_sizes == Sizes{5});
  REQUIRE_FALSE(door.committer->run_once());
}

TEST_CASE("a group takes whole submissions, in order, up to its size") {
  Door door(Committer::Options{.group_runs_max = 3});
  auto first = door.queue({numbered(1), numbered(2)});
  auto second = door.queue({numbered(3), numbered(4)});
  auto third = door.queue({numbered(5)});
  auto large = door.queue({numbered(6), numbered(7), numbered(8), numbered(9)});
  while (door.committer->run_once()) {
  }
  REQUIRE(door.store.commit_sizes == Sizes{2, 3, 4});
}

TEST_CASE("each submitter gets its own outcomes, in its own order") {
  Door door;
  door.one(numbered(1));
  auto first = door.queue({numbered(1), numbered(2)});
  auto second = door.queue({numbered(3), numbered(2), snapshot(started("weekly", 1))});
  door.committer->run_once();
  const Outcomes a = *first->join();
  const Outcomes b = *second->join();
  REQUIRE(a[0].kind == Kind::kDuplicate);
  REQUIRE(a[1].kind == Kind::kAccepted);
  REQUIRE(b[0].kind == Kind::kAccepted);
  REQUIRE(b[1].kind == Kind::kDuplicate);
  REQUIRE(b[2].field == "job");
}

TEST_CASE("a group that fails for now fails for all that are in it") {
  Door door;
  door.store.commit_errors = {absl::UnavailableError("disk full")};
  auto first = door.queue(commands(numbered(1)));
  auto second = door.queue(commands(patch(77)));
  door.committer->run_once();
  REQUIRE(absl::IsUnavailable(first->join().status()));
  REQUIRE(absl::IsUnavailable(second->join().status()));
}

TEST_CASE("commands of one group see what the group did before them") {
  Door door;
  PatchRun label = patch(1);
  label.labels["ticket"] = "42";
  auto start = door.queue(commands(report(1)));
  auto labelled = door.queue(commands(label));
  auto end = door.queue({report(1, State::kSucceeded), report(1, State::kSucceeded), report(1, State::kFailed)});
  REQUIRE(door.committer->run_once());
  REQUIRE(start->join()->front().run->revision == 1);
  REQUIRE(labelled->join()->front().run->revision == 2);
  const Outcomes ends = *end->join();
  REQUIRE(ends[0].run->revision == 3);
  REQUIRE(ends[0].run->labels.at("ticket") == "42");
  REQUIRE(ends[1].kind == Kind::kDuplicate);
  REQUIRE(ends[2].why == Why::kConflict);
  REQUIRE(door.stored(1) == ends[0].run);
  REQUIRE(door.store.commit_sizes == Sizes{3});
  REQUIRE(door.store.run_reads == 1);
}

TEST_CASE("a patch sees the snapshot before it in the group") {
  Door door;
  const Run run = finished(started("nightly", 1), seconds(1));
  PatchRun label = patch(1);
  label.labels["ticket"] = "42";
  SECTION("of a run unknown to the store") {}
  SECTION("of a run that the store knows as open") { door.one(snapshot(started("nightly", 1))); }
  const Outcomes outcomes = *door.submit({snapshot(run), label});
  REQUIRE(outcomes[0].kind == Kind::kAccepted);
  REQUIRE(outcomes[1].kind == Kind::kAccepted);
  REQUIRE(door.stored(1)->annotations.labels.at("ticket") == "42");
  REQUIRE(door.stored(1)->annotations.revision == 1);
  REQUIRE(door.stored(1)->revision == run.revision);
}

TEST_CASE("a snapshot that the store will not take is not what a patch sees") {
  Door door;
  const Run run = finished(started("nightly", 1), seconds(1));
  door.one(snapshot(run));
  PatchRun label = patch(1);
  label.labels["ticket"] = "42";
  Run wrong = finished(started("weekly", 1), seconds(1));
  SECTION("of another job") {}
  SECTION("with another start") { wrong = finished(started("nightly", 1, kStart + 1), seconds(1)); }
  SECTION("an older one") { wrong = started("nightly", 1); }
  wrong.revision = wrong.state == State::kRunning ? 1 : 50;
  const Outcomes outcomes = *door.submit({snapshot(wrong), label});
  REQUIRE(outcomes[0].kind != Kind::kAccepted);
  REQUIRE(outcomes[1].run->revision == run.revision);
  REQUIRE(outcomes[1].run->annotations.revision == 1);
  REQUIRE(outcomes[1].run->job == "nightly");
  REQUIRE(door.stored(1) == outcomes[1].run);
}

TEST_CASE("a run whose stored form is damaged takes no patches, and stops nobody else") {
  Door door;
  door.store.run_error = absl::UnknownError("not protobuf");
  const Outcomes outcomes =
      *door.submit({snapshot(started("nightly", 1)), patch(1), report(1), snapshot(started("a", 2))});
  REQUIRE(outcomes[0].kind == Kind::kAccepted);
  REQUIRE(outcomes[1].why == Why::kConflict);
  REQUIRE(outcomes[1].field == "id");
  REQUIRE(outcomes[2].why == Why::kConflict);
  REQUIRE(outcomes[3].kind == Kind::kAccepted);
  REQUIRE(door.committer->fatal_error() == absl::OkStatus());
}

TEST_CASE("a patch before the run it is about finds nothing") {
  Door door;
  const Outcomes outcomes = *door.submit({patch(1), report(1)});
  REQUIRE(outcomes[0].why == Why::kNotFound);
  REQUIRE(outcomes[1].created);
}

TEST_CASE("what another process overtook is worked out again from what is stored now") {
  Door door;
  door.store.is_shared = true;
  door.one(report(1));
  const Run found = *door.stored(1);
  PatchRun rows = patch(1);
  rows.counters["rows"] = 7;
  door.store.commit_errors = {absl::AbortedError("overtaken")};
  door.store.during_commit = [&] {
    if (door.store.commit_errors.empty()) return;
    Run theirs = found;
    theirs.revision += 1;
    theirs.counters["bytes"] = 5;
    REQUIRE(door.store.inner->commit({theirs}, 0).ok());
  };
  std::vector<Command> both;
  both.push_back(rows);
  both.push_back(snapshot(started("nightly", 2)));
  auto waiting = door.queue(std::move(both));
  door.committer->run_once();
  const auto outcomes = *waiting->join();
  REQUIRE(outcomes[0].kind == Kind::kAccepted);
  REQUIRE(outcomes[1].kind == Kind::kAccepted);
  REQUIRE(door.stored(1)->counters == decltype(Run::counters)({{"bytes", 5}, {"rows", 7}}));
  REQUIRE(door.stored(1)->revision == found.revision + 2);
  REQUIRE(door.stored(2));
  REQUIRE(door.store.last_bases.size() == 1);
  REQUIRE(door.store.last_bases[0].revision == found.revision + 1);
}

TEST_CASE("what is overtaken again and again is to be sent again") {
  Door door;
  door.store.is_shared = true;
  door.store.commit_errors.assign(10, absl::AbortedError("overtaken"));
  auto waiting = door.queue(commands(report(1)));
  door.committer->run_once();
  REQUIRE(absl::IsUnavailable(waiting->join().status()));
  REQUIRE_FALSE(door.stored(1));
  REQUIRE(door.one(report(1)).kind == Kind::kAccepted);
}

}  // namespace
}  // namespace kleptometrics::aggregator
