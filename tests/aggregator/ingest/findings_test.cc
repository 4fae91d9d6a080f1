// Commands about delays and alerts.
#include "tests/fakes/findings.h"
#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::closed;
using fakes::delayed;
using fakes::id_of;
using fakes::kStart;
using fakes::raised;
using fakes::seconds;
using Kind = Outcome::Kind;
using Why = Outcome::Why;

Command found(Findings findings) { return RecordFindings{std::move(findings)}; }
Command seen(std::uint32_t number) { return AcknowledgeAlert{id_of(number)}; }

std::optional<Alert> stored_alert(Door& door, std::uint32_t number) { return *door.store.alert(id_of(number)); }

TEST_CASE("what was found is kept by the time that the answer comes") {
  Door door;
  REQUIRE(
      door.one(found({.delays = {delayed("a", 1)}, .alerts = {raised("a", 2)}, .watch_states = {{"a", "x"}}})).kind ==
      Kind::kAccepted);
  CHECK(stored_alert(door, 2) == raised("a", 2));
  CHECK(door.store.delays({}, std::nullopt, 9)->items == std::vector<Delay>{delayed("a", 1)});
  CHECK(door.store.watch_states()->size() == 1);
}

TEST_CASE("an alert is acknowledged once, by whoever comes first") {
  Door door;
  door.one(found({.alerts = {raised("a", 1)}}));
  const Nanos first = door.clock.wall;
  const Outcome outcome = door.one(seen(1));
  REQUIRE(outcome.kind == Kind::kAccepted);
  REQUIRE(outcome.alert->acknowledged_at == first);
  door.clock.advance(seconds(9));
  const Outcome again = door.one(seen(1));
  REQUIRE(again.kind == Kind::kDuplicate);
  REQUIRE(again.alert->acknowledged_at == first);
  door.one(found({.alerts = {closed(raised("a", 1), kStart + 1)}}));
  REQUIRE(stored_alert(door, 1)->acknowledged_at == first);
  REQUIRE_FALSE(stored_alert(door, 1)->open());
}

TEST_CASE("an alert that closed can still be acknowledged, one that is unknown cannot") {
  Door door;
  door.one(found({.alerts = {closed(raised("a", 1), kStart + 1)}}));
  REQUIRE(door.one(seen(1)).alert->closed_at == kStart + 1);
  const Outcome unknown = door.one(seen(2));
  REQUIRE(unknown.kind == Kind::kRejected);
  REQUIRE(unknown.why == Why::kNotFound);
  REQUIRE_FALSE(unknown.alert);
}

TEST_CASE("what was found waits with its sender while the store has no room") {
  Door door;
  door.store.record_error = absl::UnavailableError("disk full");
  auto answer = door.submit(commands(found({.alerts = {raised("a", 1)}})));
  REQUIRE(absl::IsUnavailable(answer.status()));
  door.store.record_error = absl::OkStatus();
  REQUIRE(door.one(found({.alerts = {raised("a", 1)}})).kind == Kind::kAccepted);
}

TEST_CASE("submissions are counted by what became of them") {
  Door door({.new_jobs_per_minute_max = 1});
  const Run run = fakes::started("a", 1);
  door.one(snapshot(run));
  door.one(snapshot(run));
  door.one(snapshot(fakes::started("b", 2)));
  door.one(snapshot(fakes::started("a", 1, kStart + 1)));
  door.committer->note_rejected(4);
  door.store.commit_errors.push_back(absl::UnavailableError("disk full"));
  REQUIRE_FALSE(door.submit({snapshot(fakes::started("a", 3)), snapshot(fakes::started("a", 4))}).ok());
  const IngestCounts counts = door.committer->counts();
  CHECK(counts.accepted == 1);
  CHECK(counts.duplicates == 1);
  CHECK(counts.deferred == 1);
  CHECK(counts.rejected == 5);
  CHECK(counts.unavailable == 2);
}

}  // namespace
}  // namespace kleptometrics::aggregator
