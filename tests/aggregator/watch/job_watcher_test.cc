// The watcher over a real store and committer, turned by hand, under a clock whose hands a test turns. What the rules
// mean by their words is tested where they are (tests/aggregator/rules).
#include "aggregator/watch/job_watcher.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/clock.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/runs.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using fakes::finished;
using fakes::seconds;
using fakes::started;

constexpr Nanos kHour = 3600 * kNanosPerSecond;
constexpr Nanos kFirst = fakes::kStart - fakes::kStart % kHour + kHour;  // the first full hour

struct House {
  fakes::FakeClock clock;
  fakes::FaultyStore store;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<JobWatcher> watcher;
  std::size_t queued_max = 1000;
  std::function<absl::StatusOr<stats::Expectation>(const std::string&)> learn{};

  House() { open(); }
  ~House() { close(); }

  void open() {
    committer = *Committer::create(store, clock, {});
    watcher = std::make_unique<JobWatcher>(store, *committer, clock,
                                           JobWatcher::Options{.queued_max = queued_max, .learn = learn});
    REQUIRE(watcher->load().ok());
    committer->tell(*watcher);
    committer->start();
  }
  void close() {
    if (committer) committer->stop();
    watcher.reset();
    committer.reset();
  }

  void submit(Command command) {
    std::vector<Command> all;
    all.push_back(std::move(command));
    REQUIRE(committer->submit(std::move(all)).ok());
  }
  void commit(Run run) { submit(ApplySnapshot{std::move(run)}); }
  void hourly(const std::string& job) {
    JobSpec spec;
    spec.cron = "0 * * * *";
    submit(PutJob{job, spec});
    turn();
  }
  Nanos turn() {
    const auto next = watcher->turn_once();
    REQUIRE(next.ok());
    return *next;
  }
  // Past the time that is left to programs to tell of what was before the start.
  void turn_after_hold() {
    clock.advance(JobWatcher::kBackOffMax + JobWatcher::kHoldSlack);
    turn();
  }
  Nanos turn_at(Nanos wall) {
    clock.advance(wall - clock.wall);
    return turn();
  }
  std::vector<Delay> delays() { return store.delays({}, {}, 100)->items; }
  std::vector<Alert> alerts(bool open) { return store.alerts({.open = open}, {}, 100)->items; }
};

TEST_CASE("a start that does not come opens a delay and an alert when its grace has passed, not before") {
  House house;
  house.hourly("nightly");
  const Nanos deadline = kFirst + 60 * kNanosPerSecond;
  REQUIRE(house.turn_at(deadline) == deadline + 1);
  REQUIRE(house.delays().empty());
  house.turn_at(deadline + 1);
  REQUIRE(house.delays().size() == 1);
  REQUIRE(house.delays()[0].kind == DelayKind::kMissed);
  REQUIRE(house.delays()[0].opened_at == deadline);
  REQUIRE(house.alerts(true).size() == 1);
  REQUIRE(house.alerts(true)[0].kind == AlertKind::kMissed);
}

TEST_CASE("a start that comes late turns the delay into a late start and closes the alert") {
  House house;
  house.hourly("nightly");
  house.turn_at(kFirst + 5 * 60 * kNanosPerSecond);
  house.commit(started("nightly", 1, house.clock.wall));
  house.turn();
  REQUIRE(house.delays().size() == 1);
  REQUIRE(house.delays()[0].kind == DelayKind::kLateStart);
  REQUIRE(house.delays()[0].actual == 5 * 60 * kNanosPerSecond);
  REQUIRE(house.delays()[0].run_id == fakes::id_of(1));
  const auto closed = house.alerts(false);
  REQUIRE(std::ranges::any_of(closed, [](const Alert& alert) { return alert.kind == AlertKind::kMissed; }));
}

TEST_CASE("an overrun is told while the run is running, and of a job that nobody described a failure at once") {
  House house;
  JobSpec spec;
  spec.max_duration = 10 * kNanosPerSecond;
  house.submit(PutJob{"short", spec});
  const Run run = started("short", 1);
  house.commit(run);
  REQUIRE(house.turn() <= fakes::kStart + spec.max_duration + 1);
  house.turn_at(fakes::kStart + spec.max_duration + 1);
  REQUIRE(house.alerts(true).size() == 1);
  REQUIRE(house.alerts(true)[0].kind == AlertKind::kOverrun);
  house.commit(finished(run, seconds(20)));
  house.turn();
  REQUIRE(house.alerts(true).empty());

  house.commit(finished(started("other", 2), seconds(1), State::kFailed));
  house.turn();
  REQUIRE(house.alerts(true).size() == 1);
  REQUIRE(house.alerts(true)[0].job == "other");
  house.commit(finished(started("other", 3, fakes::kStart + seconds(2)), seconds(1)));
  house.turn();
  REQUIRE(house.alerts(true).empty());
}

TEST_CASE("a restart repeats nothing and misses nothing") {
  House house;
  house.hourly("nightly");
  house.turn_at(kFirst + seconds(61));
  const Run run = started("nightly", 1, house.clock.wall);
  house.commit(run);
  house.turn();
  const auto before = house.delays();
  REQUIRE(before.size() == 1);

  SECTION("what it knew stays as it was") {
    house.close();
    house.open();
    house.turn_after_hold();
    REQUIRE(house.delays() == before);
  }
  SECTION("what was committed and never seen is found, also the end of a run that it knew") {
    house.close();
    REQUIRE(house.store.commit({finished(run, seconds(5), State::kFailed)}, house.clock.wall).ok());
    REQUIRE(house.store.commit({started("nightly", 2, kFirst + kHour)}, house.clock.wall).ok());
    house.clock.advance(2 * kHour);
    house.open();
    house.turn_after_hold();
    const auto open = house.alerts(true);
    REQUIRE(std::ranges::any_of(open, [](const Alert& alert) { return alert.kind == AlertKind::kFailed; }));
    // Of the two hours that passed one had its run.
    const auto delays = house.delays();
    REQUIRE(std::ranges::none_of(delays, [](const Delay& delay) { return delay.scheduled_at == kFirst + kHour; }));
    REQUIRE(std::ranges::any_of(delays, [](const Delay& delay) { return delay.scheduled_at == kFirst + 2 * kHour; }));
  }
}

TEST_CASE("nothing is judged before programs have told what they have to tell of the time before the start") {
  House house;
  house.hourly("nightly");
  house.close();
  house.clock.advance(kFirst + seconds(90) - house.clock.wall);
  house.open();
  house.turn();
  REQUIRE(house.delays().empty());

  SECTION("a run that is told of meanwhile was never missed") {
    house.commit(started("nightly", 1, kFirst + seconds(2)));
    house.turn_after_hold();
    REQUIRE(house.delays().empty());
    REQUIRE(house.alerts(true).empty());
  }
  SECTION("it does not wait for ever") {
    house.turn_after_hold();
    REQUIRE(house.delays().size() == 1);
  }
}

TEST_CASE("what does not fit the queue is read from the store") {
  House house;
  house.close();
  house.queued_max = 2;
  house.open();
  for (std::uint32_t i = 1; i <= 9; ++i)
    house.commit(finished(started("job" + std::to_string(i), i), seconds(1), State::kFailed));
  house.turn();
  REQUIRE(house.alerts(true).size() == 9);
}

TEST_CASE("history of jobs that nobody watches does not come up") {
  House house;
  house.commit(finished(started("old", 1, fakes::kStart - 48 * kHour), seconds(1), State::kFailed));
  house.turn();
  REQUIRE(house.alerts(true).empty());
  REQUIRE(house.store.watch_states()->empty());
}

TEST_CASE("what the store could not record is recorded later") {
  House house;
  house.commit(finished(started("job", 1), seconds(1), State::kFailed));
  house.store.record_error = absl::UnavailableError("full");
  REQUIRE(absl::IsUnavailable(house.watcher->turn_once().status()));
  house.store.record_error = absl::OkStatus();
  REQUIRE(house.alerts(true).empty());
  house.turn();
  REQUIRE(house.alerts(true).size() == 1);
}

TEST_CASE("what has been learned of a job is told while a run takes longer, and when all have become slower") {
  House house;
  house.close();
  house.learn = [&](const std::string& job) -> absl::StatusOr<stats::Expectation> {
    stats::Learner learner;
    const auto page = house.store.runs({.job = job, .states = {State::kSucceeded}}, {}, 200);
    for (const Run& run : page->runs) learner.add(run);
    return learner.finish();
  };
  house.open();
  std::uint32_t number = 0;
  const auto run_for = [&](double length) {
    const Run run = started("job", ++number, house.clock.wall);
    house.commit(run);
    house.clock.advance(seconds(length));
    house.commit(finished(run, seconds(length)));
    house.turn();
    house.clock.advance(seconds(70));
  };
  for (int i = 0; i < 20; ++i) run_for(100 + i % 3);
  REQUIRE(house.alerts(true).empty());

  SECTION("one run") {
    const Nanos start = house.clock.wall;
    house.commit(started("job", ++number, start));
    REQUIRE(house.turn() < start + seconds(400));
    house.turn_at(start + seconds(400));
    REQUIRE(house.alerts(true).size() == 1);
    REQUIRE(house.alerts(true)[0].kind == AlertKind::kSlower);
    REQUIRE(house.alerts(true)[0].run_id == fakes::id_of(number));
  }
  SECTION("all") {
    for (int i = 0; i < 5; ++i) run_for(130 + i);
    const auto open = house.alerts(true);
    REQUIRE(open.size() == 1);
    REQUIRE(open[0].kind == AlertKind::kSlower);
    REQUIRE(open[0].run_id.none());
    for (int i = 0; i < 10; ++i) run_for(100);
    REQUIRE(house.alerts(true).empty());
  }
}

TEST_CASE("the thread records by itself what is committed") {
  House house;
  house.watcher->start();
  house.commit(finished(started("job", 1), seconds(1), State::kFailed));
  while (house.alerts(true).empty()) std::this_thread::yield();
  house.watcher->stop();
  REQUIRE(house.alerts(true)[0].kind == AlertKind::kFailed);
}

}  // namespace
}  // namespace kleptometrics::aggregator
