#include "aggregator/model/run.h"

#include <algorithm>
#include <vector>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;

Run verdict(Run run) {
  run = finished(std::move(run), seconds(1), State::kCrashed);
  run.verdict = true;
  return run;
}

TEST_CASE("states and kinds of failure are spelled as the API does, both ways") {
  for (const State state : {State::kRunning, State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}) {
    REQUIRE(state_of(name_of(state)) == state);
  }
  for (const FailureKind kind : {FailureKind::kReported, FailureKind::kException, FailureKind::kExitCode,
                                 FailureKind::kSignal, FailureKind::kLost}) {
    REQUIRE(failure_kind_of(name_of(kind)) == kind);
  }
  REQUIRE(name_of(State::kCanceled) == "canceled");
  REQUIRE(name_of(FailureKind::kExitCode) == "exit_code");
}

TEST_CASE("other spellings are no state, and other values have no name") {
  for (const auto* name : {"", "Running", "success", "running ", "unknown"}) {
    CAPTURE(name);
    REQUIRE_FALSE(state_of(name));
    REQUIRE_FALSE(failure_kind_of(name));
  }
  REQUIRE(name_of(State{0}) == "unknown");
  REQUIRE(name_of(State{6}) == "unknown");
  REQUIRE(name_of(FailureKind{255}) == "unknown");
}

TEST_CASE("a reporter's end outranks a verdict, and a verdict a running run") {
  const Run running = started("a", 1);
  REQUIRE(rank(running) == 0);
  REQUIRE(rank(verdict(running)) == 1);
  REQUIRE(rank(finished(running, seconds(1))) == 2);
  REQUIRE(rank(finished(running, seconds(1), State::kCrashed)) == 2);
}

TEST_CASE("the newer of two snapshots is told by rank, then revision, then bytes") {
  Run late_running = started("a", 1);
  late_running.revision = 100;
  const Run dead = verdict(started("a", 1));
  const Run ended = finished(started("a", 1), seconds(1));
  Run ended_later = ended;
  ++ended_later.revision;
  REQUIRE(supersedes(dead, "", late_running, ""));
  REQUIRE(supersedes(ended, "", dead, ""));
  REQUIRE(supersedes(ended_later, "", ended, "zzz"));
  REQUIRE(supersedes(ended, "b", ended, "a"));
  REQUIRE(supersedes(ended, "\x80", ended, "\x7f"));  // bytes, not signed characters
}

TEST_CASE("of any two different snapshots exactly one is the newer, and none is newer than itself") {
  std::vector<std::pair<Run, std::string>> all;
  for (const std::uint64_t revision : {1U, 2U, 9U}) {
    for (const auto* bytes : {"a", "b"}) {
      Run run = started("a", 1);
      for (Run snapshot : {run, verdict(run), finished(run, seconds(1))}) {
        snapshot.revision = revision;
        all.emplace_back(snapshot, bytes);
      }
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j) {
      const bool ij = supersedes(all[i].first, all[i].second, all[j].first, all[j].second);
      const bool ji = supersedes(all[j].first, all[j].second, all[i].first, all[i].second);
      REQUIRE((i == j ? !ij && !ji : ij != ji));
    }
  }
}

TEST_CASE("the start delay needs a schedule and is negative for an early start") {
  Run run = started("a", 1);
  REQUIRE_FALSE(run.start_delay());
  run.scheduled_at = run.started_at + seconds(2);
  REQUIRE(run.start_delay() == -seconds(2));
}

}  // namespace
}  // namespace kleptometrics::aggregator
