#include "aggregator/ingest/push.h"

#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;

// A push of runs whose strings are the same in the same order: one after the other is one message
// (protobuf: repeated fields of messages written one behind the other add up).
std::string body_of(const std::vector<Run>& runs) {
  std::string body;
  for (const Run& run : runs) body += wire::encode_run(run);
  return body;
}

struct OpenDoor : Door {
  explicit OpenDoor(Committer::Options options = {}) : Door(options) { committer->start(); }
};

TEST_CASE("a push of good runs is counted by what it changed") {
  OpenDoor door;
  const Run run = started("nightly", 1);
  const auto result = push(*door.committer, body_of({run, run, finished(run, seconds(1)), started("nightly", 2)}));
  REQUIRE(result.ok());
  REQUIRE(result->accepted == 3);
  REQUIRE(result->duplicates == 1);
  REQUIRE(result->rejected.empty());
  REQUIRE(door.stored(1)->state == State::kSucceeded);
}

TEST_CASE("runs at fault are rejected alone, under their own index") {
  OpenDoor door;
  Run bad = started("nightly", 2);
  bad.progress = 2;
  const Run moved = started("nightly", 1, fakes::kStart + 1);
  const auto result = push(*door.committer, body_of({bad, started("nightly", 1), moved, bad, started("nightly", 3)}));
  REQUIRE(result.ok());
  REQUIRE(result->accepted == 2);
  REQUIRE(result->duplicates == 0);
  REQUIRE(result->rejected.size() == 3);
  REQUIRE(result->rejected[0].index == 0);
  REQUIRE(result->rejected[0].field == "progress");
  REQUIRE(result->rejected[1].index == 2);
  REQUIRE(result->rejected[1].field == "started_at");
  REQUIRE(result->rejected[2].index == 3);
  for (const auto& each : result->rejected) {
    REQUIRE_FALSE(each.detail.empty());
    REQUIRE_FALSE(each.retryable);
  }
}

TEST_CASE("what is deferred is rejected as worth sending again") {
  OpenDoor door(Committer::Options{.jobs_max = 0});
  const auto result = push(*door.committer, body_of({started("nightly", 1)}));
  REQUIRE(result.ok());
  REQUIRE(result->accepted == 0);
  REQUIRE(result->rejected.size() == 1);
  REQUIRE(result->rejected[0].retryable);
  REQUIRE(result->rejected[0].field == "job");
}

TEST_CASE("bytes that are no push are at fault as a whole") {
  OpenDoor door;
  REQUIRE(absl::IsInvalidArgument(push(*door.committer, "\xff\xff\xff").status()));
}

TEST_CASE("an empty push is answered without a commit") {
  OpenDoor door;
  const auto result = push(*door.committer, "");
  REQUIRE(result.ok());
  REQUIRE(result->accepted + result->duplicates + result->rejected.size() == 0);
  door.committer->stop();
  REQUIRE(door.store.commit_sizes.empty());
}

TEST_CASE("a push that cannot be committed now is wholly unavailable") {
  Door door;
  door.store.commit_errors = {absl::UnavailableError("disk full")};
  door.committer->start();
  REQUIRE(absl::IsUnavailable(push(*door.committer, body_of({started("nightly", 1)})).status()));
}

TEST_CASE("a batch mixes commands of all kinds with lines at fault") {
  OpenDoor door;
  std::vector<Item> items;
  items.emplace_back(FieldError{"", "line 1 is not JSON"});
  items.emplace_back(Command(report(1)));
  items.emplace_back(Command(report(1)));
  items.emplace_back(FieldError{"colour", "unknown field"});
  items.emplace_back(Command(patch(2)));
  items.emplace_back(snapshot(started("weekly", 3)));
  const auto result = submit_batch(*door.committer, std::move(items));
  REQUIRE(result.ok());
  REQUIRE(result->accepted == 2);
  REQUIRE(result->duplicates == 1);
  REQUIRE(result->rejected.size() == 3);
  REQUIRE(result->rejected[0].index == 0);
  REQUIRE(result->rejected[1].index == 3);
  REQUIRE(result->rejected[1].field == "colour");
  REQUIRE(result->rejected[2].index == 4);
}

TEST_CASE("a batch of faults alone needs no committer at work") {
  Door door;
  std::vector<Item> items;
  items.emplace_back(FieldError{"job", "no name"});
  const auto result = submit_batch(*door.committer, std::move(items));
  REQUIRE(result.ok());
  REQUIRE(result->rejected.size() == 1);
}

}  // namespace
}  // namespace kleptometrics::aggregator
