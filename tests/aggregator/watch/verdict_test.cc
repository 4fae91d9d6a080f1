// What a verdict says.
#include "aggregator/watch/verdict.h"

#include <csignal>

#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using How = End::How;
constexpr int exited_with(int code) { return code << 8; }  // as wait(2) encodes it

TEST_CASE("a verdict is crashed, one revision on, valid, and keeps what is known of the run") {
  Run run = fakes::started("job", 1);
  run.counters["rows"] = 3;
  run.progress = 0.5;
  for (const How how : {How::kGone, How::kReplaced, How::kRestarted, How::kSilent}) {
    const Run verdict = verdict_on(run, {how, fakes::kStart + 9, {}, 90 * kNanosPerSecond});
    CHECK(verdict.state == State::kCrashed);
    CHECK(verdict.verdict);
    CHECK(verdict.revision == run.revision + 1);
    CHECK(verdict.counters == run.counters);
    CHECK(verdict.progress == 0.5);
    CHECK(verdict.duration == 9);
    CHECK(verdict.failure->kind == FailureKind::kLost);
    CHECK_FALSE(validate(verdict));
  }
}

TEST_CASE("a signal is named where one is known, with or without a core") {
  for (const int core : {0, 0x80}) {
    const Run verdict = verdict_on(fakes::started("job", 1), {How::kGone, {}, SIGSEGV | core});
    CHECK(verdict.failure->kind == FailureKind::kSignal);
    CHECK(verdict.failure->signal == SIGSEGV);
    CHECK(verdict.failure->message == "its program was ended by signal 11 (SIGSEGV)");
    CHECK_FALSE(verdict.exit_code);
    CHECK_FALSE(verdict.duration);
    CHECK_FALSE(validate(verdict));
  }
}

TEST_CASE("an exit code that is known is told, but never takes the place of what the run said") {
  Run run = fakes::started("job", 1);
  CHECK(verdict_on(run, {How::kGone, {}, exited_with(3)}).exit_code == 3);
  CHECK(verdict_on(run, {How::kGone, {}, exited_with(0)}).exit_code == 0);
  run.exit_code = 7;
  const Run verdict = verdict_on(run, {How::kGone, {}, exited_with(3)});
  CHECK(verdict.exit_code == 7);
  CHECK(verdict.failure->kind == FailureKind::kLost);
  CHECK(verdict.failure->message == "its program ended with exit code 3 without ending the run");
}

TEST_CASE("an end that is found out before the start, by a wall clock that was set back, takes no time") {
  const Run verdict = verdict_on(fakes::started("job", 1), {How::kGone, fakes::kStart - 5});
  CHECK(verdict.finished_at == fakes::kStart);
  CHECK(verdict.duration == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator
