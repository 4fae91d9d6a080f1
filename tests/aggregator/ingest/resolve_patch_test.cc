#include <cmath>
#include <limits>

#include "aggregator/ingest/resolve.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::id_of;
using fakes::kStart;
using fakes::seconds;
using Kind = Outcome::Kind;
using Why = Outcome::Why;

constexpr Nanos kNow = kStart + 1000 * kNanosPerSecond;

Run open_run() {
  Run run = fakes::started("nightly", 1);
  run.reporter = Reporter::kHttp;
  return run;
}
Run ended_run(State state = State::kFailed) { return fakes::finished(open_run(), seconds(60), state); }
Run of_library(Run run) {
  run.reporter = Reporter::kLibrary;
  return run;
}

PatchRun patch() {
  PatchRun patch;
  patch.id = id_of(1);
  return patch;
}

Run after(const PatchRun& patch, const Run& stored, Nanos now = kNow) {
  const Outcome outcome = resolve_patch(patch, &stored, now);
  INFO(outcome.field << ": " << outcome.detail);
  REQUIRE(outcome.kind == Kind::kAccepted);
  REQUIRE_FALSE(outcome.created);
  REQUIRE_FALSE(validate(*outcome.run));
  REQUIRE(rank(*outcome.run) >= rank(stored));
  // Either part moves on by one, or stays as it is.
  const bool same_snapshot = outcome.run->revision == stored.revision;
  REQUIRE((same_snapshot || outcome.run->revision == stored.revision + 1));
  REQUIRE(outcome.run->annotations.revision ==
          stored.annotations.revision + (outcome.run->annotations == stored.annotations ? 0 : 1));
  return *outcome.run;
}

void require_rejected(const PatchRun& patch, const Run& stored, Why why, const std::string& field) {
  const Outcome outcome = resolve_patch(patch, &stored, kNow);
  INFO(outcome.detail);
  REQUIRE(outcome.kind == Kind::kRejected);
  REQUIRE(outcome.why == why);
  REQUIRE(outcome.field == field);
}

void require_duplicate(const PatchRun& patch, const Run& stored) {
  const Outcome outcome = resolve_patch(patch, &stored, kNow + seconds(5));
  INFO(outcome.field << ": " << outcome.detail);
  REQUIRE(outcome.kind == Kind::kDuplicate);
  REQUIRE(outcome.run == stored);
}

TEST_CASE("an unknown run cannot be patched") {
  const Outcome outcome = resolve_patch(patch(), nullptr, kNow);
  REQUIRE(outcome.kind == Kind::kRejected);
  REQUIRE(outcome.why == Why::kNotFound);
}

TEST_CASE("fields are merged into an open run") {
  Run stored = open_run();
  stored.labels = {{"shard", "7"}, {"zone", "b"}};
  stored.counters = {{"rows", 1}, {"bytes", 2}};
  PatchRun some = patch();
  some.state = State::kRunning;
  some.progress = 0.5;
  some.exit_code = 0;
  some.labels = {{"shard", "8"}, {"env", "test"}};
  some.counters = {{"rows", 10}};
  some.failure_message = "first shard";
  const Run run = after(some, stored);
  REQUIRE(run.state == State::kRunning);
  REQUIRE(run.progress == 0.5);
  REQUIRE(run.exit_code == 0);
  REQUIRE((run.labels == decltype(run.labels){{"shard", "8"}, {"zone", "b"}, {"env", "test"}}));
  REQUIRE((run.counters == decltype(run.counters){{"rows", 10}, {"bytes", 2}}));
  REQUIRE(run.failure == Failure{FailureKind::kReported, "first shard", 0});
  REQUIRE_FALSE(run.finished_at);
}

TEST_CASE("a patch that changes nothing is a duplicate") {
  require_duplicate(patch(), open_run());
  PatchRun running = patch();
  running.state = State::kRunning;
  require_duplicate(running, open_run());
  require_duplicate(patch(), of_library(open_run()));
}

TEST_CASE("a patch ends a run now, or when it says") {
  PatchRun end = patch();
  end.state = State::kSucceeded;
  SECTION("now") {
    const Run run = after(end, open_run());
    REQUIRE(run.finished_at == kNow);
    REQUIRE(run.duration == kNow - kStart);
  }
  SECTION("after the length it says") {
    end.duration = seconds(3);
    REQUIRE(after(end, open_run()).finished_at == kStart + seconds(3));
  }
  SECTION("at the instant it says") {
    end.finished_at = kStart + seconds(4);
    REQUIRE(after(end, open_run()).duration == seconds(4));
  }
  SECTION("never before its start by the server's clock") {
    const Run run = after(end, open_run(), kStart - seconds(1));
    REQUIRE(run.duration == 0);
  }
  SECTION("not by the duration so far") {
    Run stored = open_run();
    stored.duration = seconds(1);
    REQUIRE(after(end, stored).duration == kNow - kStart);
  }
  SECTION("not before its start as the sender says") {
    end.finished_at = kStart - 1;
    require_rejected(end, open_run(), Why::kInvalid, "finished_at");
  }
}

TEST_CASE("a patch that fails a run by its exit code says so") {
  PatchRun end = patch();
  end.state = State::kFailed;
  end.exit_code = 3;
  REQUIRE(after(end, open_run()).failure->kind == FailureKind::kExitCode);
  end.failure_kind = FailureKind::kSignal;
  end.failure_signal = 9;
  REQUIRE(after(end, open_run()).failure == Failure{FailureKind::kSignal, "", 9});
}

TEST_CASE("an ending patch sent again is a duplicate") {
  PatchRun end = patch();
  end.state = State::kFailed;
  end.exit_code = 3;
  end.counters["rows"] = 4;
  require_duplicate(end, after(end, open_run()));
  end.duration = seconds(3);
  require_duplicate(end, after(end, open_run()));
}

TEST_CASE("an end without a terminal state is refused") {
  PatchRun end = patch();
  end.finished_at = kNow;
  require_rejected(end, open_run(), Why::kInvalid, "finished_at");
}

TEST_CASE("what is not valid is rejected by its field") {
  PatchRun bad = patch();
  bad.state = State::kSucceeded;
  SECTION("progress") {
    bad.progress = std::nan("");
    require_rejected(bad, open_run(), Why::kInvalid, "progress");
  }
  SECTION("extreme times") {
    bad.finished_at = std::numeric_limits<Nanos>::min();
    require_rejected(bad, open_run(), Why::kInvalid, "finished_at");
  }
  SECTION("too many labels") {
    for (int i = 0; i < 17; ++i) bad.labels[std::to_string(i)] = "x";
    require_rejected(bad, open_run(), Why::kInvalid, "labels");
    bad.state.reset();
    require_rejected(bad, ended_run(), Why::kInvalid, "labels");
  }
}

TEST_CASE("labels and the failure's message may be added to an ended run, whoever reported it") {
  const Run stored = GENERATE(ended_run(), of_library(ended_run()));
  PatchRun more = patch();
  more.labels["ticket"] = "42";
  more.failure_message = "the disk was full";
  Run expected = stored;
  expected.annotations = {1, {{"ticket", "42"}}, "the disk was full"};
  REQUIRE(after(more, stored) == expected);
  require_duplicate(more, expected);
  more.state = stored.state;  // said again
  REQUIRE(after(more, stored) == expected);
}

TEST_CASE("adding to an ended run fills in nothing else") {
  Run stored = of_library(ended_run());
  stored.finished_at.reset();
  stored.exit_code = 1;
  PatchRun more = patch();
  more.labels["ticket"] = "42";
  const Run run = after(more, stored);
  REQUIRE_FALSE(run.finished_at);
  REQUIRE_FALSE(run.failure);
}

TEST_CASE("a message keeps the kind of the failure it is added to") {
  Run stored = of_library(ended_run(State::kCrashed));
  stored.verdict = true;
  stored.failure = Failure{FailureKind::kSignal, "", 11};
  PatchRun more = patch();
  more.failure_message = "known bug";
  const Run run = after(more, stored);
  REQUIRE(effective_failure(run) == Failure{FailureKind::kSignal, "known bug", 11});
  REQUIRE(run.verdict);
}

TEST_CASE("what is added leaves the program's own snapshot as it is") {
  const Run stored = GENERATE(of_library(open_run()), of_library(ended_run()));
  PatchRun more = patch();
  more.labels["ticket"] = "42";
  more.failure_message = "known bug";
  Run run = after(more, stored);
  REQUIRE(effective_labels(run).at("ticket") == "42");
  run.annotations = {};
  REQUIRE(run == stored);
}

TEST_CASE("a label added later stands in front of an earlier one and of the program's own") {
  Run stored = of_library(open_run());
  stored.labels["region"] = "us";
  PatchRun more = patch();
  more.labels["region"] = "eu";
  const Run once = after(more, stored);
  REQUIRE(effective_labels(once).at("region") == "eu");
  more.labels["region"] = "asia";
  REQUIRE(effective_labels(after(more, once)).at("region") == "asia");
  REQUIRE(once.labels.at("region") == "us");
}

TEST_CASE("a failure is shown where there is one, whatever message was added") {
  PatchRun more = patch();
  more.failure_message = "known bug";
  REQUIRE_FALSE(effective_failure(after(more, of_library(ended_run(State::kSucceeded)))));
  REQUIRE(effective_failure(after(more, of_library(ended_run(State::kFailed))))->message == "known bug");
}

TEST_CASE("nothing else of an ended run, or of one of the library's, is changed") {
  const Run stored = GENERATE(ended_run(), of_library(ended_run()));
  PatchRun bad = patch();
  bad.labels["ticket"] = "42";
  std::string field;
  SECTION("state") {
    bad.state = State::kSucceeded;
    field = "state";
  }
  SECTION("back to running") {
    bad.state = State::kRunning;
    field = "state";
  }
  SECTION("end") {
    bad.finished_at = kNow;
    field = "finished_at";
  }
  SECTION("length") {
    bad.duration = 1;
    field = "duration_seconds";
  }
  SECTION("progress") {
    bad.progress = 1;
    field = "progress";
  }
  SECTION("exit code") {
    bad.exit_code = 1;
    field = "exit_code";
  }
  SECTION("counters") {
    bad.counters["rows"] = 1;
    field = "counters";
  }
  SECTION("kind of failure") {
    bad.failure_kind = FailureKind::kException;
    field = "failure.kind";
  }
  SECTION("signal") {
    bad.failure_signal = 9;
    field = "failure.signal";
  }
  require_rejected(bad, stored, Why::kConflict, field);
}

TEST_CASE("of a run that its program writes nothing but labels and a message is taken") {
  PatchRun some = patch();
  some.state = State::kCanceled;
  require_rejected(some, of_library(open_run()), Why::kConflict, "state");
}

TEST_CASE("a patch by its reporter overrules the verdict on a run") {
  Run stored = ended_run(State::kCrashed);
  stored.verdict = true;
  stored.failure = Failure{FailureKind::kLost, "gone", 0};
  PatchRun end = patch();
  end.state = State::kSucceeded;
  const Run run = after(end, stored);
  REQUIRE(run.state == State::kSucceeded);
  REQUIRE_FALSE(run.verdict);
  REQUIRE_FALSE(run.failure);
  REQUIRE(run.duration == kNow - kStart);
  require_rejected(end, of_library(stored), Why::kConflict, "state");
}

}  // namespace
}  // namespace kleptometrics::aggregator
