// What is said of jobs, through the one door: specifications and pauses.
#include <optional>
#include <string>

#include "tests/aggregator/ingest/committer_fixture.h"

namespace kleptometrics::aggregator {
namespace {

PutJob described(const std::string& text, std::string job = "nightly") {
  PutJob put;
  put.name = std::move(job);
  put.spec.description = text;
  return put;
}

JobSpec stored(Door& door, const std::string& job = "nightly") {
  const auto heads = door.store.jobs(job);
  REQUIRE(heads.ok());
  REQUIRE(heads->size() == 1);
  return heads->front().spec;
}

TEST_CASE("a pause is kept beside what a job is meant to be, until it is taken back") {
  Door door;
  door.one(described("bills"));
  CHECK(door.one(PauseJob{"nightly", kNanosEnd}).kind == Outcome::Kind::kAccepted);
  CHECK(stored(door).paused_until == kNanosEnd);
  CHECK(stored(door).description == "bills");
  door.one(PauseJob{"nightly", 7});
  CHECK(stored(door).paused_until == 7);
  door.one(PauseJob{"nightly", std::nullopt});
  CHECK_FALSE(stored(door).paused_until);
  CHECK(stored(door).description == "bills");
}

TEST_CASE("a specification neither pauses nor resumes") {
  Door door;
  PutJob put = described("new");
  put.spec.paused_until = 5;
  door.one(put);
  CHECK_FALSE(stored(door).paused_until);
  door.one(PauseJob{"nightly", 7});
  door.one(put);
  CHECK(stored(door).paused_until == 7);
  door.open();  // another committer over the same store knows of it, too
  door.one(described("newer"));
  CHECK(stored(door).paused_until == 7);
  CHECK(stored(door).description == "newer");
}

TEST_CASE("a job may be put and paused in one group") {
  Door door;
  std::vector<Command> all = commands(described("bills"));
  all.emplace_back(PauseJob{"nightly", 7});
  all.emplace_back(described("more bills"));
  REQUIRE(door.submit(std::move(all)).ok());
  CHECK(stored(door).paused_until == 7);
  CHECK(stored(door).description == "more bills");
}

TEST_CASE("a job that is known by its runs alone can be paused, an unknown one cannot") {
  Door door;
  const Outcome outcome = door.one(PauseJob{"nightly", 7});
  CHECK(outcome.kind == Outcome::Kind::kRejected);
  CHECK(outcome.why == Outcome::Why::kNotFound);
  CHECK(door.store.jobs({})->empty());
  door.one(report(1));
  CHECK(door.one(PauseJob{"nightly", 7}).kind == Outcome::Kind::kAccepted);
  CHECK(stored(door).paused_until == 7);
}

}  // namespace
}  // namespace kleptometrics::aggregator
