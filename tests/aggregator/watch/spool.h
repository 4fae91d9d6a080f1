// A spool with programs in it, real processes that record what they are told and then wait for their end, and a watcher
// that a test turns by hand.
#pragma once

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/ingest/committer.h"
#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "aggregator/watch/spool_watcher.h"
#include "aggregator/wire/wire.h"
#include "lib/base/uuid.h"
#include "lib/journal/journal.h"
#include "tests/fakes/clock.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::aggregator {

inline constexpr Nanos kStarted = 1'699'999'000 * kNanosPerSecond;

inline Run snapshot(int number, State state) {
  Run run;
  run.id = *Uuid::parse("01890000-0000-7000-8000-00000000000" + std::to_string(number));
  run.job = "job";
  run.state = state;
  run.revision = 1;
  run.started_at = kStarted;
  run.counters["rows"] = 7;
  if (terminal(state)) {
    run.duration = 5 * kNanosPerSecond;
    run.finished_at = kStarted + *run.duration;
  }
  return run;
}

// A child process, told of by a pipe when it is ready; killed and reaped at the end.
class Child {
 public:
  // `body` is called with a function that says that it is ready. The child ends with _exit(0) if `body` returns.
  explicit Child(const std::function<void(const std::function<void()>&)>& body) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      body([&] { ::close(ready[1]); });
      ::_exit(0);
    }
    ::close(ready[1]);
    char byte = 0;
    while (::read(ready[0], &byte, 1) > 0) {
    }
    ::close(ready[0]);
  }
  ~Child() { kill(); }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Child& operator=(Child&&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  // Its wait status, once it has ended.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }
  void kill() {
    if (pid_ == 0) return;
    signal(SIGKILL);
    wait();
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

struct Spool {
  tests::TempDir dir;
  fakes::FakeClock clock;
  std::unique_ptr<Store> store = *open_store("memory:");
  std::unique_ptr<Committer> committer = *Committer::create(*store, clock, {});
  std::unique_ptr<SpoolWatcher> made;
  SpoolWatcher& watcher;

  explicit Spool(const WatchOptions& options = {}) : made(make(options)), watcher(*made) { committer->start(); }

  std::unique_ptr<SpoolWatcher> make(const WatchOptions& options = {}) {
    return std::make_unique<SpoolWatcher>(dir.path(), *store, *committer, clock, options);
  }

  using Then = std::function<void(journal::Writer&)>;
  // A program that records `runs`, does `then`, and waits for its end.
  Child start_program(const std::vector<Run>& runs, const Then& then = {},
                      const std::string& sub_directory = {}) const {
    return Child([&](const std::function<void()>& ready) {
      std::string error;
      const auto writer = journal::Writer::open({.directory = dir / sub_directory, .bytes = 64U << 10U}, &error);
      for (const Run& run : runs) writer->append(wire::encode_run(run), terminal(run.state), 0);
      if (then) then(*writer);
      ready();
      ::pause();
    });
  }
  void ran_and_died(const std::vector<Run>& runs) const { start_program(runs).kill(); }

  // Turns the watcher until that is so; false if it never is.
  bool turn_until(const std::function<bool()>& done) const {
    for (int turns = 0; turns < 200; ++turns) {
      if (done()) return true;
      watcher.turn(100);
    }
    return done();
  }
  bool turn_until_crashed(int number) const {
    return turn_until([&] { return knows(number) && stored(number).state == State::kCrashed; });
  }

  std::size_t journals() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path()))
      count += entry.path().extension() == journal::kSuffix ? 1U : 0U;
    return count;
  }
  bool knows(int number) const { return store->run(snapshot(number, State::kRunning).id)->has_value(); }
  Run stored(int number) const { return store->run(snapshot(number, State::kRunning).id)->value(); }
};

inline WatchOptions by_pidfd() { return {.pidfds = true, .files = false, .peers = false}; }
inline WatchOptions by_file() { return {.pidfds = false, .files = true, .peers = false}; }
inline WatchOptions by_peer() { return {.pidfds = false, .files = false, .peers = true}; }
inline WatchOptions by_lease() { return {.pidfds = false, .files = false, .peers = false}; }

inline std::string boot_id() { return journal::Producer::self().boot_id; }

// A snapshot that a program of this machine pushes.
inline Run pushed(int number, State state, pid_t pid) {
  Run run = snapshot(number, state);
  run.boot_id = boot_id();
  run.pid = static_cast<std::uint32_t>(pid);
  return run;
}

inline Caller caller(pid_t process, pid_t pid) {
  return {static_cast<std::uint32_t>(pid),
          [process] { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }};
}

inline void push(Spool& spool, const Run& run, const Caller& of) {
  spool.watcher.heard({Command(ApplySnapshot{run})}, of);
  REQUIRE(spool.committer->submit({ApplySnapshot{run}}).ok());
}

inline Child sleeper() {
  return Child([](const std::function<void()>& ready) {
    ready();
    ::pause();
  });
}

}  // namespace kleptometrics::aggregator
