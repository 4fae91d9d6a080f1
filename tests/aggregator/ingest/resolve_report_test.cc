#include <limits>

#include "aggregator/ingest/resolve.h"
#include "aggregator/wire/wire.h"
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

// What a sender says who says no more than it must.
ReportRun says(State state) {
  ReportRun report;
  report.run.id = id_of(1);
  report.run.job = "nightly";
  report.run.state = state;
  report.run.reporter = Reporter::kHttp;
  return report;
}

Outcome resolve(const ReportRun& report, const std::optional<Run>& stored, Nanos now = kNow) {
  return resolve_report(report, stored ? &*stored : nullptr, now);
}

// What is stored after the report, which must have changed it.
Run after(const ReportRun& report, const std::optional<Run>& stored = {}, Nanos now = kNow) {
  const Outcome outcome = resolve(report, stored, now);
  INFO(outcome.field << ": " << outcome.detail);
  REQUIRE(outcome.kind == Kind::kAccepted);
  REQUIRE_FALSE(validate(*outcome.run));
  return *outcome.run;
}

void require_rejected(const Outcome& outcome, Why why, const std::string& field) {
  INFO(outcome.detail);
  REQUIRE(outcome.kind == Kind::kRejected);
  REQUIRE(outcome.why == why);
  REQUIRE(outcome.field == field);
  REQUIRE_FALSE(outcome.detail.empty());
  REQUIRE_FALSE(outcome.run);
}

void require_duplicate(const Outcome& outcome, const Run& stored) {
  INFO(outcome.field << ": " << outcome.detail);
  REQUIRE(outcome.kind == Kind::kDuplicate);
  REQUIRE(outcome.run == stored);
  REQUIRE_FALSE(outcome.created);
}

TEST_CASE("an unknown run starts now as revision 1") {
  const Outcome outcome = resolve(says(State::kRunning), {});
  REQUIRE(outcome.kind == Kind::kAccepted);
  REQUIRE(outcome.created);
  REQUIRE(outcome.run->started_at == kNow);
  REQUIRE(outcome.run->revision == 1);
  REQUIRE(outcome.run->reporter == Reporter::kHttp);
  REQUIRE_FALSE(outcome.run->finished_at);
}

TEST_CASE("an unknown run keeps the start and the revision that its sender gives") {
  ReportRun report = says(State::kRunning);
  report.run.started_at = kStart;
  report.started_at_given = true;
  report.run.revision = 9;
  const Run run = after(report);
  REQUIRE(run.started_at == kStart);
  REQUIRE(run.revision == 9);
}

TEST_CASE("a start at the epoch can be given") {
  ReportRun report = says(State::kRunning);
  report.started_at_given = true;
  REQUIRE(after(report).started_at == 0);
}

TEST_CASE("a past run that tells its end and its length began that long before") {
  ReportRun report = says(State::kSucceeded);
  report.run.finished_at = kStart + seconds(70);
  report.run.duration = seconds(60);
  const Run run = after(report);
  REQUIRE(run.started_at == kStart + seconds(10));
  REQUIRE(run.finished_at == kStart + seconds(70));
  REQUIRE(run.duration == seconds(60));
}

TEST_CASE("a run that tells its length alone ends now") {
  ReportRun report = says(State::kFailed);
  report.run.duration = seconds(60);
  const Run run = after(report);
  REQUIRE(run.started_at == kNow - seconds(60));
  REQUIRE(run.finished_at == kNow);
}

TEST_CASE("a run that tells its end alone took no time that anyone knows of") {
  ReportRun report = says(State::kSucceeded);
  report.run.finished_at = kStart;
  const Run run = after(report);
  REQUIRE(run.started_at == kStart);
  REQUIRE(run.duration == 0);
}

TEST_CASE("a run that ends and tells nothing began and ended now") {
  const Run run = after(says(State::kCanceled));
  REQUIRE(run.started_at == kNow);
  REQUIRE(run.finished_at == kNow);
  REQUIRE(run.duration == 0);
}

TEST_CASE("a past run with start and length ended in between, not now") {
  ReportRun report = says(State::kSucceeded);
  report.run.started_at = kStart;
  report.started_at_given = true;
  report.run.duration = seconds(60);
  REQUIRE(after(report).finished_at == kStart + seconds(60));
}

TEST_CASE("a past run with start and end took the difference") {
  ReportRun report = says(State::kSucceeded);
  report.run.started_at = kStart;
  report.started_at_given = true;
  report.run.finished_at = kStart + seconds(60);
  REQUIRE(after(report).duration == seconds(60));
}

TEST_CASE("an end before the start is refused unless a length is told") {
  ReportRun report = says(State::kSucceeded);
  report.run.started_at = kStart;
  report.started_at_given = true;
  report.run.finished_at = kStart - 1;
  require_rejected(resolve(report, {}), Why::kInvalid, "finished_at");
  report.run.duration = seconds(1);
  REQUIRE(after(report).duration == seconds(1));
}

TEST_CASE("a start ahead of this clock ends no earlier than it began") {
  ReportRun report = says(State::kSucceeded);
  report.run.started_at = kNow + seconds(1);
  report.started_at_given = true;
  const Run run = after(report);
  REQUIRE(run.finished_at == run.started_at);
  REQUIRE(run.duration == 0);
}

TEST_CASE("a failure by exit code is named so, a success with one left alone") {
  ReportRun report = says(State::kFailed);
  report.run.exit_code = 3;
  REQUIRE(after(report).failure == Failure{FailureKind::kExitCode, "", 0});
  report.run.exit_code = 0;
  REQUIRE_FALSE(after(report).failure);
  report.run.exit_code = 3;
  report.run.failure = Failure{FailureKind::kReported, "no rows", 0};
  REQUIRE(after(report).failure->message == "no rows");
  report.run.failure.reset();
  report.run.state = State::kSucceeded;
  REQUIRE_FALSE(after(report).failure);
}

TEST_CASE("what is not valid is rejected by its field, before and after the filling in") {
  ReportRun report = says(State::kSucceeded);
  SECTION("a length that would reach before the epoch") {
    report.run.duration = kNow + 1;
    require_rejected(resolve(report, {}), Why::kInvalid, "started_at");
  }
  SECTION("a negative length") {
    report.run.duration = -1;
    require_rejected(resolve(report, {}), Why::kInvalid, "duration_seconds");
  }
  SECTION("an end beyond the times there are") {
    report.run.started_at = kNanosEnd - 1;
    report.started_at_given = true;
    report.run.duration = kNanosEnd - 1;
    require_rejected(resolve(report, {}), Why::kInvalid, "finished_at");
  }
  SECTION("extreme instants") {
    report.run.finished_at = std::numeric_limits<Nanos>::min();
    require_rejected(resolve(report, {}), Why::kInvalid, "finished_at");
  }
  SECTION("the name of the job") {
    report.run.job = "no good";
    require_rejected(resolve(report, {}), Why::kInvalid, "job");
  }
}

TEST_CASE("a sender over HTTP can give neither a verdict nor itself out as the library") {
  ReportRun report = says(State::kCrashed);
  report.run.verdict = true;
  report.run.reporter = Reporter::kLibrary;
  const Run run = after(report);
  REQUIRE_FALSE(run.verdict);
  REQUIRE(run.reporter == Reporter::kHttp);
}

TEST_CASE("a known run keeps its job and its start") {
  const Run stored = after(says(State::kRunning));
  ReportRun report = says(State::kRunning);
  SECTION("another job") {
    report.run.job = "weekly";
    require_rejected(resolve(report, stored), Why::kConflict, "job");
  }
  SECTION("another start") {
    report.run.started_at = stored.started_at + 1;
    report.started_at_given = true;
    require_rejected(resolve(report, stored), Why::kConflict, "started_at");
  }
  SECTION("the same start") {
    report.run.started_at = stored.started_at;
    report.started_at_given = true;
    require_duplicate(resolve(report, stored), stored);
  }
  SECTION("no start, much later") { require_duplicate(resolve(report, stored, kNow * 2), stored); }
}

TEST_CASE("a run of the client library is not reported by others") {
  const Run stored = fakes::started("nightly", 1);
  const Outcome outcome = resolve(says(State::kSucceeded), stored);
  require_rejected(outcome, Why::kConflict, "");
  REQUIRE(outcome.detail == "the run is owned by the client library");
}

TEST_CASE("more about an open run is its next revision, and what is left out stays") {
  ReportRun first = says(State::kRunning);
  first.run.host = "alpha";
  first.run.pid = 12;
  first.run.version = "1.2";
  first.run.attempt = 3;
  first.run.parent_id = id_of(9);
  first.run.scheduled_at = kStart;
  first.run.labels["shard"] = "7";
  first.run.counters["rows"] = 5;
  first.run.resources.cpu_user = 4;
  const Run stored = after(first);
  ReportRun more = says(State::kRunning);
  more.run.counters["bytes"] = 9;
  more.run.progress = 0.5;
  Run expected = stored;
  expected.revision = 2;
  expected.counters["bytes"] = 9;
  expected.progress = 0.5;
  REQUIRE(after(more, stored, kNow + seconds(1)) == expected);
}

TEST_CASE("a known run ends now, as long after its start as that is") {
  const Run stored = after(says(State::kRunning));
  const Run ended = after(says(State::kSucceeded), stored, kNow + seconds(30));
  REQUIRE(ended.revision == 2);
  REQUIRE(ended.started_at == kNow);
  REQUIRE(ended.finished_at == kNow + seconds(30));
  REQUIRE(ended.duration == seconds(30));
}

TEST_CASE("a wall clock that steps back makes no negative duration") {
  const Run stored = after(says(State::kRunning));
  const Run ended = after(says(State::kSucceeded), stored, kNow - seconds(30));
  REQUIRE(ended.duration == 0);
  REQUIRE(ended.finished_at == stored.started_at);
}

TEST_CASE("a known run that tells its length ended that long after its start") {
  const Run stored = after(says(State::kRunning));
  ReportRun report = says(State::kSucceeded);
  report.run.duration = seconds(5);
  const Run ended = after(report, stored, kNow + seconds(3600));
  REQUIRE(ended.finished_at == kNow + seconds(5));
  REQUIRE(ended.duration == seconds(5));
}

TEST_CASE("the duration so far is not the duration") {
  ReportRun open = says(State::kRunning);
  open.run.duration = seconds(2);
  const Run stored = after(open);
  require_duplicate(resolve(says(State::kRunning), stored), stored);
  REQUIRE(after(says(State::kSucceeded), stored, kNow + seconds(9)).duration == seconds(9));
}

TEST_CASE("the same end sent again is a duplicate, whatever the server filled in") {
  std::optional<Run> open;
  SECTION("of a run unknown before") {}
  SECTION("of a run that was open") { open = after(says(State::kRunning), {}, kStart); }
  ReportRun report = says(State::kFailed);
  report.run.exit_code = 2;
  SECTION("without times") {}
  SECTION("with a length") { report.run.duration = seconds(10); }
  SECTION("with an end") { report.run.finished_at = kNow - seconds(1); }
  SECTION("with both") {
    report.run.duration = seconds(10);
    report.run.finished_at = kNow - seconds(1);
  }
  SECTION("with a revision") { report.run.revision = 4; }
  const Run stored = after(report, open);
  require_duplicate(resolve(report, stored, kNow + seconds(77)), stored);
  require_duplicate(resolve(report, stored, kNow - seconds(77)), stored);
}

TEST_CASE("the start that arrives after the end is a duplicate") {
  const Run stored = after(says(State::kSucceeded));
  ReportRun late = says(State::kRunning);
  require_duplicate(resolve(late, stored), stored);
  late.run.counters["rows"] = 1;
  require_duplicate(resolve(late, stored), stored);
  late.run.revision = 99;
  require_duplicate(resolve(late, stored), stored);
}

TEST_CASE("an ended run is not changed without a revision") {
  const Run stored = after(says(State::kSucceeded));
  SECTION("another state") { require_rejected(resolve(says(State::kFailed), stored), Why::kConflict, "state"); }
  SECTION("another end") {
    ReportRun report = says(State::kSucceeded);
    report.run.finished_at = *stored.finished_at + 1;
    require_rejected(resolve(report, stored), Why::kConflict, "state");
  }
  SECTION("another counter") {
    ReportRun report = says(State::kSucceeded);
    report.run.counters["rows"] = 1;
    require_rejected(resolve(report, stored), Why::kConflict, "state");
  }
}

TEST_CASE("what was added to an ended run does not make its report a conflict") {
  ReportRun report = says(State::kFailed);
  report.run.failure = Failure{FailureKind::kReported, "", 0};
  Run stored = after(report);
  stored.labels["ticket"] = "42";
  stored.failure->message = "disk";
  ++stored.revision;
  require_duplicate(resolve(report, stored), stored);
}

TEST_CASE("a given revision goes by the merge order") {
  ReportRun report = says(State::kFailed);
  report.run.revision = 5;
  const Run stored = after(report);
  report.run.state = State::kSucceeded;
  SECTION("a higher one corrects even the outcome, and keeps the end") {
    report.run.revision = 6;
    const Run corrected = after(report, stored, kNow + seconds(50));
    REQUIRE(corrected.state == State::kSucceeded);
    REQUIRE(corrected.finished_at == stored.finished_at);
    REQUIRE(corrected.revision == 6);
  }
  SECTION("a lower one is old") {
    report.run.revision = 4;
    require_duplicate(resolve(report, stored), stored);
  }
  SECTION("at the same one the larger bytes win, whichever comes first") {
    report.run.state = State::kFailed;
    ReportRun other = report;
    other.run.program = "z";
    Run with_program = stored;
    with_program.program = "z";
    const bool wins = wire::encode_run(with_program) > wire::encode_run(stored);
    REQUIRE((resolve(other, stored).kind == Kind::kAccepted) == wins);
    REQUIRE((resolve(report, with_program).kind == Kind::kAccepted) == !wins);
    require_duplicate(resolve(other, with_program), with_program);
  }
}

TEST_CASE("a corrected end gives the duration anew") {
  ReportRun report = says(State::kSucceeded);
  report.run.started_at = kStart;
  report.started_at_given = true;
  report.run.finished_at = kStart + seconds(10);
  const Run stored = after(report);
  report.run.revision = 2;
  report.run.finished_at = kStart + seconds(20);
  REQUIRE(after(report, stored).duration == seconds(20));
}

TEST_CASE("a reporter overrules the verdict on its run, and nothing of it is left") {
  Run stored = after(says(State::kRunning), {}, kStart);
  stored.state = State::kCrashed;
  stored.verdict = true;
  stored.finished_at = kStart + seconds(3);
  stored.duration = seconds(3);
  stored.failure = Failure{FailureKind::kLost, "gone", 0};
  const Run ended = after(says(State::kSucceeded), stored, kNow);
  REQUIRE(ended.state == State::kSucceeded);
  REQUIRE_FALSE(ended.verdict);
  REQUIRE(ended.finished_at == kNow);
  REQUIRE_FALSE(ended.failure);
  REQUIRE(rank(ended) > rank(stored));
  require_duplicate(resolve(says(State::kRunning), stored), stored);
  REQUIRE_FALSE(after(says(State::kCrashed), stored, kNow).verdict);
}

TEST_CASE("a failure told while it ran does not stay with a success") {
  ReportRun open = says(State::kRunning);
  open.run.failure = Failure{FailureKind::kReported, "first shard", 0};
  const Run stored = after(open);
  REQUIRE_FALSE(after(says(State::kSucceeded), stored).failure);
  REQUIRE(after(says(State::kFailed), stored).failure == open.run.failure);
}

TEST_CASE("at the end of the revisions a run does not change") {
  Run stored = after(says(State::kRunning));
  stored.revision = std::numeric_limits<std::uint64_t>::max();
  require_rejected(resolve(says(State::kSucceeded), stored), Why::kConflict, "revision");
}

TEST_CASE("labels together may be too many") {
  ReportRun report = says(State::kRunning);
  for (int i = 0; i < 16; ++i) report.run.labels["a" + std::to_string(i)] = "x";
  const Run stored = after(report);
  report = says(State::kRunning);
  report.run.labels["b"] = "x";
  require_rejected(resolve(report, stored), Why::kInvalid, "labels");
}

}  // namespace
}  // namespace kleptometrics::aggregator
