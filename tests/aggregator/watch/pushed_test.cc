// Runs that were pushed and have no journal here: judged by the process that pushed them, by a lease, or not at all.
#include "aggregator/model/forwarded.h"
#include "aggregator/watch/verdict.h"
#include "tests/aggregator/watch/spool.h"

namespace kleptometrics::aggregator {
namespace {

TEST_CASE("a run whose program has no journal here is judged when the process that pushed it ends") {
  const bool seen = GENERATE(true, false);  // its pid, from our pid namespace
  Spool spool(by_peer());
  Child program = sleeper();
  const pid_t pid = seen ? program.pid() : 0;
  push(spool, pushed(1, State::kRunning, program.pid()), caller(program.pid(), pid));
  push(spool, pushed(2, State::kRunning, program.pid()), caller(program.pid(), pid));
  push(
      spool,
      [&] {
        Run run = pushed(2, State::kSucceeded, program.pid());
        run.revision = 2;
        return run;
      }(),
      caller(program.pid(), pid));
  spool.watcher.turn(0);
  CHECK(spool.stored(1).state == State::kRunning);
  program.signal(SIGKILL);
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(spool.stored(1).revision == 2);
  CHECK(spool.stored(1).counters.at("rows") == 7);
  CHECK(spool.stored(2).state == State::kSucceeded);
}

TEST_CASE("when the process that pushed ends its journal is drained before anything is judged") {
  Spool spool(by_peer());
  Child program = spool.start_program({snapshot(1, State::kSucceeded)});
  Run open = pushed(1, State::kRunning, program.pid());
  open.revision = 1;
  spool.watcher.scan_once();
  push(spool, open, caller(program.pid(), program.pid()));
  program.signal(SIGKILL);
  REQUIRE(spool.turn_until([&] { return spool.journals() == 0; }));
  CHECK(spool.stored(1).state == State::kSucceeded);
}

TEST_CASE("the end of who passes on the runs of others is not theirs") {
  Spool spool(by_peer());
  const Child program = sleeper();
  Child relay = sleeper();
  push(spool, pushed(1, State::kRunning, program.pid()), caller(relay.pid(), relay.pid()));
  relay.signal(SIGKILL);
  spool.watcher.turn(200);
  CHECK(spool.stored(1).state == State::kRunning);
}

TEST_CASE("a run of which nothing is heard any more has lost contact, until its program says how it ended") {
  Spool spool(by_lease());
  const Run run = snapshot(1, State::kRunning);  // of no boot that we know: another machine
  push(spool, run, {});
  const Nanos heard = spool.clock.now().wall;
  spool.clock.advance(89 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kRunning);
  spool.clock.advance(2 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK(spool.stored(1).verdict);
  CHECK(spool.stored(1).failure->kind == FailureKind::kLost);
  CHECK(spool.stored(1).failure->message.starts_with("lost contact"));
  CHECK(spool.stored(1).finished_at == heard);

  Run going_on = run;
  going_on.revision = 9;
  push(spool, going_on, {});
  CHECK(spool.stored(1).state == State::kCrashed);
  Run ended = snapshot(1, State::kSucceeded);
  ended.revision = 10;
  push(spool, ended, {});
  CHECK(spool.stored(1).state == State::kSucceeded);
}

TEST_CASE("each snapshot renews the lease, and a watcher that starts grants one to what it finds open") {
  Spool spool(by_lease());
  push(spool, snapshot(1, State::kRunning), {});
  for (int i = 0; i < 5; ++i) {
    spool.clock.advance(60 * kNanosPerSecond);
    spool.watcher.heard({Command(ApplySnapshot{snapshot(1, State::kRunning)})}, {});
    spool.watcher.scan_once();
    CHECK(spool.stored(1).state == State::kRunning);
  }
  const auto next = spool.make(by_lease());
  next->start();
  next->stop();
  next->scan_once();
  CHECK(spool.stored(1).state == State::kRunning);
  spool.clock.advance(91 * kNanosPerSecond);
  next->scan_once();
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK_FALSE(spool.stored(1).finished_at);
}

TEST_CASE("a run reported by plain HTTP is never judged, by no process and by no lease") {
  Spool spool;
  Run run = snapshot(1, State::kRunning);
  run.reporter = Reporter::kHttp;
  run.boot_id = boot_id();
  Child curl = sleeper();
  push(spool, run, caller(curl.pid(), curl.pid()));
  spool.watcher.start();
  spool.watcher.stop();
  curl.kill();
  spool.watcher.turn(0);
  spool.clock.advance(1000 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kRunning);
}

TEST_CASE(
    "a run that a sidecar passed on outlives a way to it that is down, and after long is lost, also over a restart") {
  Spool spool(by_lease());
  Run run = snapshot(1, State::kRunning);
  mark_forwarded(run);
  push(spool, run, {});
  const auto next = GENERATE(false, true) ? spool.make(by_lease()) : nullptr;
  SpoolWatcher& watcher = next ? *next : spool.watcher;
  if (next) {
    next->start();
    next->stop();
  }
  spool.clock.advance(3599 * kNanosPerSecond);
  watcher.scan_once();
  CHECK(spool.stored(1).state == State::kRunning);
  spool.clock.advance(kNanosPerSecond);
  watcher.scan_once();
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK(spool.stored(1).failure->message.starts_with("lost contact"));
}

TEST_CASE("the verdict of the sidecar is the centre's, and what its program says later counts more") {
  Spool spool(by_lease());
  Run run = snapshot(1, State::kRunning);
  mark_forwarded(run);
  push(spool, run, {});
  Run verdict = verdict_on(run, End{End::How::kGone});
  push(spool, verdict, {});
  CHECK(spool.stored(1).verdict);
  spool.clock.advance(4000 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK(spool.stored(1) == verdict);
  Run ended = snapshot(1, State::kSucceeded);
  mark_forwarded(ended);
  push(spool, ended, {});
  CHECK(spool.stored(1) == ended);
}

}  // namespace
}  // namespace kleptometrics::aggregator
