// Two aggregators over one store, turned by hand: which of them watches, and that nothing is told twice or lost as the
// duty goes from the one to the other.
#include "aggregator/watch/watch_duty.h"

#include <algorithm>
#include <set>
#include <thread>

#include "aggregator/model/forwarded.h"
#include "tests/fakes/clock.h"
#include "tests/fakes/runs.h"
#include "tests/fakes/shared_store.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::id_of;
using fakes::seconds;
using fakes::started;

constexpr Nanos kHour = 3600 * kNanosPerSecond;
constexpr Nanos kFirst = fakes::kStart - fakes::kStart % kHour + kHour;  // the first full hour
constexpr Nanos kHeld = JobWatcher::kBackOffMax + JobWatcher::kHoldSlack;

// One process: its view of the store, and what it has over it.
struct Process {
  fakes::SharedStore store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<SpoolWatcher> programs;
  std::unique_ptr<WatchDuty> duty;

  Process(fakes::SharedServer& server, const fakes::FakeClock& clock, const std::string& name,
          const WatchDuty::Options& options = {})
      : store(server),
        committer(*Committer::create(store, clock, {})),
        programs(std::make_unique<SpoolWatcher>("", store, *committer, clock)),
        duty(std::make_unique<WatchDuty>(store, *committer, clock, *programs, name, options)) {
    committer->start();
  }
  ~Process() { end(); }
  void end() {
    if (duty) duty->stop();
    if (committer) committer->stop();
    duty.reset();
    programs.reset();
    committer.reset();
  }
  // A kill -9: it gives nothing back.
  void die() {
    store.reachable = false;
    end();
  }
  void turn() {
    duty->turn_once();
    programs->scan_once();
  }
  void submit(Command command) {
    std::vector<Command> all;
    all.push_back(std::move(command));
    const auto outcomes = committer->submit(std::move(all));
    REQUIRE(outcomes.ok());
    REQUIRE(outcomes->front().kind != Outcome::Kind::kRejected);
  }
  // As a push over TCP to this aggregator.
  void push(const Run& run) {
    programs->heard({Command(ApplySnapshot{run})}, {});
    submit(ApplySnapshot{run});
  }
  bool holds() const { return duty && duty->held(); }
};

struct Fleet {
  fakes::FakeClock clock;
  fakes::SharedServer server{clock};
  Process a{server, clock, "a"}, b{server, clock, "b"};

  // The time passes, and whoever lives turns twice a second.
  void pass(Nanos length) {
    for (const Nanos end = clock.steady + length; clock.steady < end;) {
      clock.advance(std::min(kNanosPerSecond / 2, end - clock.steady));
      turn();
    }
  }
  void turn() {
    for (Process* const each : {&a, &b}) {
      if (each->duty) each->turn();
    }
    REQUIRE_FALSE((a.holds() && b.holds()));
  }
  void pass_until(Nanos wall) { pass(wall - clock.wall); }

  std::vector<Alert> alerts(bool open) { return server.store->alerts({.open = open}, {}, 100)->items; }
  std::vector<Delay> delays() { return server.store->delays({}, {}, 100)->items; }
  State state_of(std::uint32_t number) { return (*server.store->run(id_of(number)))->state; }
  std::uint64_t waiting() { return server.store->waiting(); }
};

Run failed(const std::string& job, std::uint32_t number, Nanos at) {
  return finished(started(job, number, at), seconds(1), State::kFailed);
}

JobSpec hourly() {
  JobSpec spec;
  spec.cron = "0 * * * *";
  return spec;
}

TEST_CASE("of two that share a store one watches the commits of both, and drops them when they are judged") {
  Fleet fleet;
  fleet.turn();
  REQUIRE(fleet.a.holds());
  REQUIRE_FALSE(fleet.b.holds());
  fleet.a.push(failed("one", 1, fleet.clock.wall));
  fleet.b.push(failed("two", 2, fleet.clock.wall));
  REQUIRE(fleet.waiting() == 2);
  fleet.pass(kNanosPerSecond);
  REQUIRE(fleet.waiting() == 0);
  const auto alerts = fleet.alerts(true);
  REQUIRE(alerts.size() == 2);
  std::set<std::string> jobs;
  for (const Alert& alert : alerts) jobs.insert(alert.job);
  REQUIRE(jobs == std::set<std::string>{"one", "two"});
  fleet.pass(60 * kNanosPerSecond);
  REQUIRE(fleet.a.holds());
  REQUIRE(fleet.alerts(true) == alerts);
}

TEST_CASE("when the holder dies the other takes the duty, repeats nothing and misses nothing") {
  Fleet fleet;
  fleet.turn();
  fleet.a.submit(PutJob{"nightly", hourly()});
  fleet.a.push(failed("one", 1, fleet.clock.wall));
  fleet.pass_until(kFirst + seconds(61));
  const auto before = fleet.alerts(true);
  REQUIRE(before.size() == 2);  // failed, missed
  REQUIRE(fleet.delays().size() == 1);

  fleet.a.die();
  fleet.b.push(failed("two", 2, fleet.clock.wall));  // while nobody watches
  fleet.pass(8 * kNanosPerSecond);
  REQUIRE_FALSE(fleet.b.holds());
  fleet.pass(6 * kNanosPerSecond);
  REQUIRE(fleet.b.holds());
  fleet.pass(kHeld + 2 * kNanosPerSecond);
  const auto after = fleet.alerts(true);
  REQUIRE(after.size() == 3);
  for (const Alert& alert : before) REQUIRE(std::ranges::find(after, alert) != after.end());
  REQUIRE(fleet.alerts(false).empty());
  REQUIRE(fleet.delays().size() == 1);
  REQUIRE(fleet.waiting() == 0);
  // And goes on where the other was.
  fleet.b.push(started("nightly", 3, fleet.clock.wall));
  fleet.pass(2 * kNanosPerSecond);
  REQUIRE(fleet.alerts(false).size() == 1);
  REQUIRE(fleet.delays()[0].kind == DelayKind::kLateStart);
}

TEST_CASE("what the holder was told and had not recorded when it died is found by the next") {
  Fleet fleet;
  fleet.turn();
  REQUIRE(fleet.a.holds());
  // It reads the change, and dies before it has recorded.
  fleet.b.push(failed("one", 1, fleet.clock.wall - 20 * kHour));  // ended long ago: catching up alone would not find it
  fleet.b.push(failed("two", 2, fleet.clock.wall));
  fleet.a.store.during_record = [&] { fleet.a.store.reachable = false; };
  fleet.pass(kNanosPerSecond);
  REQUIRE(fleet.alerts(true).empty());
  fleet.a.die();
  fleet.pass(20 * kNanosPerSecond + kHeld);
  REQUIRE(fleet.b.holds());
  REQUIRE(fleet.alerts(true).size() == 2);
}

TEST_CASE("who does not reach the store judges no more before the duty can be another's, and forgets what it knew") {
  Fleet fleet;
  fleet.turn();
  JobSpec spec;
  spec.max_duration = seconds(60);
  fleet.a.submit(PutJob{"short", spec});
  const Run run = started("short", 1, fleet.clock.wall);
  fleet.a.push(run);
  fleet.pass(30 * kNanosPerSecond);
  REQUIRE(fleet.alerts(true).empty());
  fleet.a.store.reachable = false;
  Nanos blind = 0;
  while (fleet.a.holds()) {
    fleet.pass(kNanosPerSecond / 2);
    blind += kNanosPerSecond / 2;
  }
  REQUIRE(blind <= WatchDuty::Options().length - WatchDuty::Options().margin);
  while (!fleet.b.holds()) fleet.pass(kNanosPerSecond / 2);
  fleet.b.push(finished(run, seconds(50)));
  fleet.pass(60 * kNanosPerSecond);
  fleet.a.store.reachable = true;  // it comes back, and would find the run overdue by what it knew
  fleet.pass(60 * kNanosPerSecond);
  REQUIRE(fleet.b.holds());
  const auto open = fleet.alerts(true);
  REQUIRE(open.empty());
}

TEST_CASE("what was found by who has lost the duty meanwhile is not recorded") {
  Fleet fleet;
  fleet.turn();
  fleet.a.push(failed("one", 1, fleet.clock.wall));
  fleet.clock.advance(kNanosPerSecond);
  // Its committer comes to it only long after: as if the process had been stopped in between.
  bool stopped = false;
  fleet.b.push(failed("two", 2, fleet.clock.wall));
  WatchDuty::Options options;
  options.watcher.learn = [&](const std::string&) -> absl::StatusOr<stats::Expectation> {
    if (!std::exchange(stopped, true)) fleet.clock.advance(100 * kNanosPerSecond);
    return absl::UnavailableError("not now");
  };
  fleet.a.end();
  Process c(fleet.server, fleet.clock, "c", options);
  c.duty->turn_once();
  REQUIRE(stopped);
  REQUIRE_FALSE(c.holds());
  REQUIRE(fleet.alerts(true).empty());
  c.duty->turn_once();  // it takes the duty anew, and finds them again
  REQUIRE(c.holds());
  fleet.clock.advance(kNanosPerSecond);
  c.duty->turn_once();
  REQUIRE(fleet.alerts(true).size() == 2);
}

TEST_CASE("a duty that is given up is the other's at its next look") {
  Fleet fleet;
  fleet.turn();
  fleet.a.end();
  fleet.pass(3 * kNanosPerSecond);
  REQUIRE(fleet.b.holds());
}

TEST_CASE("what a job is meant to be, and a pause, hold whichever aggregator is told") {
  Fleet fleet;
  fleet.turn();
  REQUIRE(fleet.a.holds());
  fleet.b.submit(PutJob{"nightly", hourly()});
  fleet.pass_until(kFirst + seconds(61));
  REQUIRE(fleet.alerts(true).size() == 1);

  SECTION("paused through another than that which made it") {
    fleet.a.submit(PauseJob{"nightly", kNanosEnd});
    fleet.pass(2 * kNanosPerSecond);
    REQUIRE(fleet.alerts(true).empty());
    // A new specification there leaves the pause, which came in here, as it is.
    fleet.b.submit(PutJob{"nightly", hourly()});
    REQUIRE(fleet.server.store->jobs("nightly")->front().spec.paused_until);
  }
  SECTION("changed through the other") {
    JobSpec spec = hourly();
    spec.cron = "30 * * * *";
    fleet.b.submit(PutJob{"nightly", spec});
    fleet.pass(2 * kNanosPerSecond);
    REQUIRE(fleet.alerts(true).empty());
    fleet.pass_until(kFirst + kHour / 2 + seconds(62));
    REQUIRE(fleet.alerts(true).size() == 1);
  }
}

TEST_CASE("a job that appeared through another aggregator is no new one") {
  fakes::FakeClock clock;
  fakes::SharedServer server(clock);
  fakes::SharedStore one(server), two(server);
  const auto a = *Committer::create(one, clock, {});
  const auto b = *Committer::create(two, clock, {.jobs_max = 1});
  a->start();
  b->start();
  REQUIRE(a->submit({ApplySnapshot{started("job", 1)}}).ok());
  REQUIRE(b->submit({ApplySnapshot{started("job", 2)}})->front().kind == Outcome::Kind::kAccepted);
  REQUIRE(b->submit({ApplySnapshot{started("another", 3)}})->front().kind == Outcome::Kind::kDeferred);
}

TEST_CASE("an alert that is acknowledged through the other stays so, whatever the holder makes of it") {
  Fleet fleet;
  fleet.turn();
  fleet.a.push(failed("one", 1, fleet.clock.wall));
  fleet.pass(kNanosPerSecond);
  const Alert alert = fleet.alerts(true).at(0);
  fleet.b.submit(AcknowledgeAlert{alert.id});
  const Nanos at = fleet.clock.wall;
  fleet.b.push(failed("one", 2, fleet.clock.wall));
  fleet.pass(kNanosPerSecond);
  REQUIRE(fleet.alerts(true).at(0).acknowledged_at == at);
  fleet.b.push(finished(started("one", 3, fleet.clock.wall), seconds(1)));
  fleet.pass(3 * kNanosPerSecond);
  REQUIRE(fleet.alerts(true).empty());
  REQUIRE(fleet.alerts(false).at(0).acknowledged_at == at);
}

TEST_CASE("a program that pushes now to the one, now to the other is never lost") {
  Fleet fleet;
  fleet.turn();
  Run run = started("remote", 1, fleet.clock.wall);
  for (int i = 0; i < 20; ++i) {
    (i % 4 < 3 ? fleet.b : fleet.a).push(run);  // the holder hears every 120 s of it by itself
    fleet.pass(30 * kNanosPerSecond);
    ++run.revision;
    REQUIRE(fleet.state_of(1) == State::kRunning);
  }
}

TEST_CASE("a program whose aggregator died, and which does not come to another, is lost by the word of the holder") {
  Fleet fleet;
  fleet.turn();
  fleet.b.push(started("remote", 1, fleet.clock.wall));
  fleet.pass(kNanosPerSecond);
  fleet.b.die();
  fleet.pass(80 * kNanosPerSecond);
  REQUIRE(fleet.state_of(1) == State::kRunning);
  fleet.pass(60 * kNanosPerSecond);
  REQUIRE(fleet.state_of(1) == State::kCrashed);
}

TEST_CASE("who takes the duty gives every run that is open a whole lease, and one that was passed on a long one") {
  Fleet fleet;
  fleet.turn();
  Run passed_on = started("sidecar", 2, fleet.clock.wall);
  mark_forwarded(passed_on);
  fleet.b.push(started("remote", 1, fleet.clock.wall));
  fleet.b.push(passed_on);
  fleet.pass(80 * kNanosPerSecond);
  fleet.a.die();
  while (!fleet.b.holds()) fleet.pass(kNanosPerSecond / 2);
  fleet.pass(80 * kNanosPerSecond);
  REQUIRE(fleet.state_of(1) == State::kRunning);
  fleet.pass(60 * kNanosPerSecond);
  REQUIRE(fleet.state_of(1) == State::kCrashed);
  REQUIRE(fleet.state_of(2) == State::kRunning);
}

TEST_CASE("more changes than are read at once are all judged, also while nothing may be judged yet") {
  Fleet fleet;
  for (std::uint32_t i = 1; i <= 40; ++i)
    fleet.b.push(failed("job" + std::to_string(i), i, fleet.clock.wall - seconds(i)));
  WatchDuty::Options options;
  options.changes_max = 3;
  options.watcher.queued_max = 7;
  Process c(fleet.server, fleet.clock, "c", options);
  c.turn();
  REQUIRE(c.holds());
  for (int i = 0; i < 200; ++i) {
    fleet.clock.advance(kNanosPerSecond / 2);
    c.turn();
  }
  REQUIRE(fleet.alerts(true).size() == 40);
  REQUIRE(fleet.waiting() == 0);
}

TEST_CASE("threads of two aggregators hand the duty over by themselves") {
  const Clock& clock = system_clock();
  fakes::FakeClock server_clock;
  fakes::SharedServer server(server_clock);
  const WatchDuty::Options options{.renew_every = kNanosPerSecond / 100};
  auto a = std::make_unique<fakes::SharedStore>(server);
  auto b = std::make_unique<fakes::SharedStore>(server);
  const auto of_a = *Committer::create(*a, clock, {});
  const auto of_b = *Committer::create(*b, clock, {});
  SpoolWatcher programs_a("", *a, *of_a, clock), programs_b("", *b, *of_b, clock);
  WatchDuty duty_a(*a, *of_a, clock, programs_a, holder_name(), options);
  WatchDuty duty_b(*b, *of_b, clock, programs_b, holder_name(), options);
  of_a->start();
  of_b->start();
  duty_a.start();
  while (!duty_a.held()) std::this_thread::yield();
  duty_b.start();
  REQUIRE(of_b->submit({ApplySnapshot{failed("one", 1, clock.now().wall)}}).ok());
  while (server.store->waiting() != 0) std::this_thread::yield();
  REQUIRE(server.store->alerts({.open = true}, {}, 10)->items.size() == 1);
  duty_a.stop();
  while (!duty_b.held()) std::this_thread::yield();
  duty_b.stop();
}

TEST_CASE("names of holders differ, of one process, too") {
  REQUIRE(holder_name() != holder_name());
  REQUIRE(std::ranges::count(holder_name(), ':') == 2);
}

}  // namespace
}  // namespace kleptometrics::aggregator
