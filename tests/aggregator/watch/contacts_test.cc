// Which runs hang on what: on a process, on a lease, on nothing.
#include "aggregator/watch/contacts.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include "aggregator/model/forwarded.h"
#include "tests/aggregator/watch/spool.h"

namespace kleptometrics::aggregator {
namespace {

struct Fixture {
  fakes::FakeClock clock;
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  Contacts contacts;
  int opened = 0;

  explicit Fixture(const Contacts::Options& options = {}) : contacts(options, "this boot", epoll.get(), clock) {}

  static Run run(int number, State state, pid_t pid) {
    Run run = snapshot(number, state);
    run.boot_id = "this boot";
    run.pid = static_cast<std::uint32_t>(pid);
    return run;
  }
  Caller caller(const Child& child) {
    return {static_cast<std::uint32_t>(child.pid()), [this, pid = child.pid()] {
              ++opened;
              return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
            }};
  }
  void hear(const Run& run, const Caller& of) { contacts.heard({Command(ApplySnapshot{run})}, of); }
  std::optional<Contacts::Ended> next_ended() {
    epoll_event event{};
    if (::epoll_wait(epoll.get(), &event, 1, 10'000) != 1) return std::nullopt;
    return contacts.take_ended(event.data.u64);
  }
  std::size_t silent_after(Nanos by) {
    clock.advance(by);
    return contacts.take_silent().size();
  }
};

constexpr Nanos kLong = 100 * kNanosPerSecond;

TEST_CASE("a process is asked for once, whatever it pushes") {
  Fixture on;
  Child child = sleeper();
  for (int i = 1; i <= 3; ++i) on.hear(Fixture::run(i, State::kRunning, child.pid()), on.caller(child));
  on.hear(Fixture::run(3, State::kFailed, child.pid()), on.caller(child));
  CHECK(on.opened == 1);
  CHECK(on.contacts.vouched(snapshot(1, State::kRunning).id));
  CHECK_FALSE(on.contacts.vouched(snapshot(3, State::kRunning).id));
  CHECK(on.silent_after(kLong) == 0);
  child.kill();
  CHECK_FALSE(on.contacts.vouched(snapshot(1, State::kRunning).id));
  const auto ended = on.next_ended();
  REQUIRE(ended);
  CHECK(ended->runs == std::vector<Uuid>{snapshot(1, State::kRunning).id, snapshot(2, State::kRunning).id});
}

TEST_CASE("runs of another boot, of another process, and of nobody known hang on leases") {
  Fixture on;
  const Child child = sleeper();
  Run remote = Fixture::run(1, State::kRunning, child.pid());
  remote.boot_id = "another boot";
  on.hear(remote, on.caller(child));
  on.hear(Fixture::run(2, State::kRunning, child.pid() + 1), on.caller(child));
  on.hear(Fixture::run(3, State::kRunning, child.pid()), {});
  CHECK(on.silent_after(kLong) == 3);
  CHECK(on.silent_after(kLong) == 0);
}

TEST_CASE("a lease ends with its run") {
  Fixture on;
  on.hear(snapshot(1, State::kRunning), {});
  on.hear(snapshot(1, State::kSucceeded), {});
  CHECK(on.silent_after(kLong) == 0);
}

TEST_CASE("verdicts, and runs that are not the library's, hang on nothing") {
  Fixture on;
  Run verdict = snapshot(1, State::kCrashed);
  verdict.verdict = true;
  on.hear(verdict, {});
  Run reported = snapshot(2, State::kRunning);
  reported.reporter = Reporter::kHttp;
  on.hear(reported, {});
  CHECK(on.silent_after(kLong) == 0);
}

TEST_CASE("what a process pushes whose journal is watched hangs on that") {
  Fixture on;
  Child child = sleeper();
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
  const auto pid = static_cast<std::uint32_t>(child.pid());
  on.hear(Fixture::run(1, State::kRunning, child.pid()), on.caller(child));
  on.contacts.watched(pid, pid, pidfd.get());
  on.hear(Fixture::run(2, State::kRunning, child.pid()), on.caller(child));
  CHECK(on.opened == 1);
  child.kill();
  on.hear(Fixture::run(3, State::kRunning, static_cast<pid_t>(pid)),
          {pid, {}});  // of a process that has ended: too late
  CHECK_FALSE(on.contacts.take_ended(Contacts::kPeerTag | pid));
  CHECK(on.contacts.let_go(pid).size() == 2);
  CHECK(on.silent_after(kLong) == 1);
}

TEST_CASE("without peers, and beyond their number, everything hangs on leases, and is counted beyond theirs") {
  Contacts::Options options;
  options.runs_max = 1;
  options.peers = GENERATE(true, false);
  options.peers_max = 0;
  Fixture on(options);
  const Child child = sleeper();
  on.hear(Fixture::run(1, State::kRunning, child.pid()), on.caller(child));
  on.hear(Fixture::run(2, State::kRunning, child.pid()), on.caller(child));
  CHECK(on.opened == 0);
  CHECK(on.contacts.not_kept() == 1);
  CHECK(on.silent_after(kLong) == 1);
}

TEST_CASE("a run that another aggregator passed on has a lease of its own length, known or heard of") {
  Contacts::Options options;
  options.forwarded_lease = 1000 * kNanosPerSecond;
  Fixture on(options);
  Run run = snapshot(1, State::kRunning);
  mark_forwarded(run);
  const bool heard = GENERATE(true, false);
  if (heard) {
    on.hear(run, {});
  } else {
    on.contacts.expect(run);
  }
  CHECK(on.silent_after(999 * kNanosPerSecond) == 0);
  on.clock.advance(kNanosPerSecond);
  const auto silent = on.contacts.take_silent();
  REQUIRE(silent.size() == 1);
  CHECK(silent[0].heard == heard);
  on.contacts.keep(silent[0]);
  CHECK(on.silent_after(999 * kNanosPerSecond) == 0);
  CHECK(on.silent_after(kNanosPerSecond) == 1);
}

TEST_CASE("by duty a lease is kept while the duty is, renewed by what is committed, and judged as of what was heard") {
  Contacts::Options options;
  options.by_duty = true;
  Fixture on(options);
  const Run run = snapshot(1, State::kRunning);
  const auto on_duty = [&] { on.contacts.on_duty(on.clock.steady, on.clock.steady + kNanosPerSecond); };
  on.hear(run, {});
  on.contacts.expect(run);
  on.contacts.renew(run);
  CHECK(on.silent_after(kLong) == 0);  // another's

  on_duty();
  on.contacts.renew(run);
  on.clock.advance(kLong);
  on.hear(run, {});                          // is renewed when it comes by the list of changes
  CHECK(on.contacts.take_silent().empty());  // nobody knows yet what the others heard
  on_duty();
  SECTION("which is nothing") { CHECK(on.contacts.take_silent().size() == 1); }
  SECTION("but the duty may be another's by now") {
    on.clock.advance(kNanosPerSecond);
    CHECK(on.contacts.take_silent().empty());
  }
  SECTION("which is a snapshot") {
    on.contacts.renew(run);
    CHECK(on.contacts.take_silent().empty());
  }
  SECTION("which is its end") {
    on.contacts.renew(snapshot(1, State::kSucceeded));
    on.clock.advance(kLong);
    on_duty();
    CHECK(on.contacts.take_silent().empty());
  }
  SECTION("and the duty was lost in between") {
    on.contacts.off_duty();
    on_duty();
    CHECK(on.contacts.take_silent().empty());
  }
  SECTION("and it is a process of this machine that has it") {
    Child child = sleeper();
    on.hear(Fixture::run(1, State::kRunning, child.pid()), on.caller(child));
    on.contacts.renew(Fixture::run(1, State::kRunning, child.pid()));
    on.clock.advance(kLong);
    on_duty();
    CHECK(on.contacts.take_silent().empty());
    child.kill();
    CHECK(on.next_ended());  // which is each aggregator's own matter
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator
