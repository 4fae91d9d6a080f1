// How the watcher learns that a program has ended: each way by itself, and what it must not be taken in by.
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "aggregator/watch/pidfd.h"
#include "lib/journal/format.h"
#include "tests/aggregator/watch/spool.h"

namespace kleptometrics::aggregator {
namespace {

// A program that records a run as the first process of a pid namespace of its own.
class Apart {
 public:
  enum Descriptors { kKeeps, kCloses };
  Apart(const Spool& spool, int number, Descriptors descriptors = kKeeps)
      : inner_(static_cast<pid_t*>(
            ::mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
        outer_([&](const std::function<void()>& ready) {
          if (::unshare(CLONE_NEWPID) != 0) return;
          const pid_t inner = ::fork();
          if (inner == 0) live(spool, number, descriptors, ready);
          *inner_ = inner;
          ready();
          ::waitpid(inner, nullptr, 0);
        }) {}
  ~Apart() {
    if (started()) ::kill(pid(), SIGKILL);
    outer_.wait();
    ::munmap(inner_, sizeof(pid_t));
  }
  bool started() const { return *inner_ > 0; }
  pid_t pid() const { return *inner_; }  // in our namespace

 private:
  [[noreturn]] static void live(const Spool& spool, int number, Descriptors descriptors,
                                const std::function<void()>& ready) {
    std::string error;
    const auto writer = journal::Writer::open({.directory = spool.dir.path(), .bytes = 64U << 10U}, &error);
    writer->append(wire::encode_run(snapshot(number, State::kRunning)), false, 0);
    ready();
    if (descriptors == kCloses)
      for (int fd = 3; fd < 256; ++fd) ::close(fd);
    for (;;) ::pause();
  }

  pid_t* inner_;
  Child outer_;
};

// Its journal says that it was written by another: `change` the producer.
void forge(const Spool& spool, const std::function<void(journal::Producer&)>& change) {
  for (const auto& entry : std::filesystem::directory_iterator(spool.dir.path())) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(journal::kHeadBytes, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    journal::Head head = journal::read_head(bytes).head;
    change(head.producer);
    journal::write_head(head, bytes.data());
    file.seekp(0);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

bool tells_signal(const Run& run) {
  return run.failure->kind == FailureKind::kSignal && run.failure->signal == SIGKILL;
}

}  // namespace

TEST_CASE("a program is watched as soon as it has a journal, and its death is known at once, and by which signal") {
  Spool spool(by_pidfd());
  spool.watcher.scan_once();
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  REQUIRE(spool.turn_until([&] { return spool.watcher.watched() == 1; }));
  program.signal(SIGKILL);
  REQUIRE(spool.turn_until_crashed(1));  // before it is reaped
  CHECK(spool.watcher.watched() == 0);
  CHECK(spool.journals() == 0);
  CHECK(tells_signal(spool.stored(1)));
  CHECK(spool.stored(1).counters.at("rows") == 7);
  CHECK(spool.stored(1).duration == spool.clock.now().wall - kStarted);
}

TEST_CASE("by which signal a program ended is known after it was reaped as well, where the kernel tells") {
  Spool spool(by_pidfd());
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  UniqueFd other(static_cast<int>(::syscall(SYS_pidfd_open, program.pid(), 0)));
  const auto pid = static_cast<std::uint32_t>(program.pid());
  program.kill();
  const bool tells = wait_status_of(other.get(), pid).has_value();
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(tells_signal(spool.stored(1)) == tells);
  CHECK((spool.stored(1).failure->kind == FailureKind::kLost) == !tells);
}

TEST_CASE("a program that left its run open by _exit has its exit code told") {
  Spool spool(by_pidfd());
  spool.watcher.scan_once();
  int go[2];
  REQUIRE(::pipe(go) == 0);
  Child program = spool.start_program({snapshot(1, State::kRunning)}, [&](journal::Writer&) {
    if (::fork() != 0) return;
    ::_exit(0);  // a child that ends is nothing to us
  });
  Child leaver([&](const std::function<void()>& ready) {
    std::string error;
    const auto writer = journal::Writer::open({.directory = spool.dir.path(), .bytes = 64U << 10U}, &error);
    writer->append(wire::encode_run(snapshot(2, State::kRunning)), false, 0);
    ready();
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(go[0], &byte, 1);
    ::_exit(3);
  });
  REQUIRE(spool.turn_until([&] { return spool.watcher.watched() == 2; }));
  REQUIRE(::write(go[1], "g", 1) == 1);
  REQUIRE(spool.turn_until_crashed(2));
  CHECK(spool.stored(2).failure->kind == FailureKind::kLost);
  CHECK(spool.stored(2).exit_code == 3);
  CHECK_FALSE(spool.knows(1));
  ::close(go[0]);
  ::close(go[1]);
}

TEST_CASE("the snapshot that a program ended its run by wins over its death") {
  Spool spool(by_pidfd());
  Child program = spool.start_program({snapshot(1, State::kRunning), [] {
                                         Run run = snapshot(1, State::kSucceeded);
                                         run.revision = 2;
                                         return run;
                                       }()});
  spool.watcher.scan_once();
  program.signal(SIGKILL);
  REQUIRE(spool.turn_until([&] { return spool.journals() == 0; }));
  CHECK(spool.stored(1).state == State::kSucceeded);
}

TEST_CASE("without pidfds a death is seen by the journal that is let go of") {
  Spool spool(by_file());
  spool.watcher.scan_once();
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  spool.watcher.turn(0);
  CHECK(spool.watcher.watched() == 0);
  program.kill();
  REQUIRE(spool.turn_until_crashed(1));
}

TEST_CASE("programs beyond the number of pidfds are seen by their journals") {
  WatchOptions options;
  options.pidfds_max = 1;
  Spool spool(options);
  Child first = spool.start_program({snapshot(1, State::kRunning)});
  Child second = spool.start_program({snapshot(2, State::kRunning)});
  spool.watcher.scan_once();
  CHECK(spool.watcher.watched() == 1);
  first.kill();
  second.kill();
  CHECK(spool.turn_until_crashed(1));
  CHECK(spool.turn_until_crashed(2));
}

TEST_CASE("a program that calls exec has left its run, though its process lives on") {
  Spool spool;
  spool.watcher.scan_once();
  int go[2];
  REQUIRE(::pipe(go) == 0);
  const Child program([&](const std::function<void()>& ready) {
    std::string error;
    const auto writer = journal::Writer::open({.directory = spool.dir.path(), .bytes = 64U << 10U}, &error);
    writer->append(wire::encode_run(snapshot(1, State::kRunning)), false, 0);
    ready();
    char byte = 0;
    [[maybe_unused]] const ssize_t got = ::read(go[0], &byte, 1);
    ::execlp("sleep", "sleep", "600", nullptr);
  });
  REQUIRE(spool.turn_until([&] { return spool.watcher.watched() == 1; }));
  REQUIRE(::write(go[1], "g", 1) == 1);
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(spool.stored(1).failure->kind == FailureKind::kLost);
  CHECK(spool.stored(1).failure->message.find("exec") != std::string::npos);
  CHECK(::kill(program.pid(), 0) == 0);
  ::close(go[0]);
  ::close(go[1]);
}

TEST_CASE("a program that is stopped lives, whatever its lease says") {
  Spool spool;
  const Child program = spool.start_program({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  push(spool, pushed(1, State::kRunning, program.pid()), {});  // by TCP: a lease
  program.signal(SIGSTOP);
  int status = 0;
  REQUIRE(::waitpid(program.pid(), &status, WUNTRACED) == program.pid());
  spool.clock.advance(1000 * kNanosPerSecond);
  spool.watcher.scan_once();
  CHECK(spool.watcher.watched() == 1);
  CHECK(spool.stored(1).state == State::kRunning);
  program.signal(SIGKILL);
  CHECK(spool.turn_until_crashed(1));
}

TEST_CASE("a forked child that holds journal and socket does not stand for its parent") {
  Spool spool;
  int child_lives[2];
  REQUIRE(::pipe(child_lives) == 0);
  const Child program([&](const std::function<void()>& ready) {
    std::string error;
    const auto writer = journal::Writer::open({.directory = spool.dir.path(), .bytes = 64U << 10U}, &error);
    writer->append(wire::encode_run(snapshot(1, State::kRunning)), false, 0);
    const bool parent = ::fork() != 0;
    ready();
    ::close(child_lives[1]);
    char byte = 0;
    if (parent) ::pause();
    [[maybe_unused]] const ssize_t got = ::read(child_lives[0], &byte, 1);
    ::_exit(0);
  });
  spool.watcher.scan_once();
  CHECK(spool.watcher.watched() == 1);
  program.signal(SIGKILL);
  CHECK(spool.turn_until_crashed(1));
  ::close(child_lives[0]);
  ::close(child_lives[1]);
}

TEST_CASE("a watcher that starts while a program runs sees it die") {
  Spool spool;
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  spool.watcher.scan_once();
  const auto next = spool.make();
  next->scan_once();
  CHECK(next->watched() == 1);
  program.signal(SIGKILL);
  while (next->turn(10'000) == 0) {
  }
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK(spool.stored(1).finished_at);
}

TEST_CASE("a pid that is another's by now is not taken for the program") {
  Spool spool;
  spool.ran_and_died({snapshot(1, State::kRunning)});
  const Child other = sleeper();
  forge(spool, [&](journal::Producer& producer) { producer.pid = static_cast<std::uint32_t>(other.pid()); });
  CHECK(spool.watcher.scan_once() == 1);
  CHECK(spool.stored(1).state == State::kCrashed);
}

TEST_CASE("what ran before the machine was started anew is crashed, and nobody knows since when") {
  Spool spool;
  spool.watcher.scan_once();
  spool.ran_and_died({snapshot(1, State::kRunning)});
  forge(spool, [](journal::Producer& producer) { producer.boot_id = "5c38d5b3-0000-4000-8000-000000000000"; });
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kCrashed);
  CHECK(spool.stored(1).failure->message == "its machine was started anew before the run ended");
  CHECK_FALSE(spool.stored(1).finished_at);
}

TEST_CASE("in another pid namespace a program is watched by who holds its lock, by its journal, or by who pushes") {
  const WatchOptions options = GENERATE(by_pidfd(), by_file(), by_peer());
  Spool spool(options);
  spool.watcher.scan_once();
  const Apart program(spool, 1);
  if (!program.started()) return;  // that needs privileges
  REQUIRE(spool.turn_until([&] { return spool.journals() == 1; }));
  spool.watcher.scan_once();
  CHECK(spool.watcher.watched() == (options.pidfds ? 1 : 0));
  if (options.peers) push(spool, pushed(1, State::kRunning, 1), caller(program.pid(), 0));
  CHECK(spool.journals() == 1);
  ::kill(program.pid(), SIGKILL);
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(spool.journals() == 0);
}

TEST_CASE("a program in another pid namespace that closed all descriptors lives while it is known who pushed") {
  Spool spool(by_peer());
  const Apart program(spool, 1, Apart::kCloses);
  if (!program.started()) return;
  push(spool, pushed(1, State::kRunning, 1), caller(program.pid(), 0));
  spool.watcher.scan_once();
  CHECK(spool.stored(1).state == State::kRunning);
  CHECK(spool.journals() == 1);
  ::kill(program.pid(), SIGKILL);
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(spool.journals() == 0);
}

TEST_CASE("where root runs the aggregator directories of users may come later, and their programs are watched") {
  if (::geteuid() != 0) return;
  constexpr unsigned kUser = 12345;
  Spool spool;
  REQUIRE(::chmod(spool.dir.path().c_str(), 0755) == 0);
  spool.watcher.scan_once();
  const std::string directory = spool.dir / std::to_string(kUser);
  REQUIRE(::mkdir(directory.c_str(), 0700) == 0);
  REQUIRE(::chown(directory.c_str(), kUser, kUser) == 0);
  spool.watcher.turn(1000);
  const Child program([&](const std::function<void()>& ready) {
    if (::setgid(kUser) != 0 || ::setuid(kUser) != 0) return;
    std::string error;
    const auto writer = journal::Writer::open({.directory = directory, .bytes = 64U << 10U}, &error);
    writer->append(wire::encode_run(snapshot(1, State::kRunning)), false, 0);
    ready();
    ::pause();
  });
  REQUIRE(spool.turn_until([&] { return spool.watcher.watched() == 1; }));
  program.signal(SIGKILL);
  REQUIRE(spool.turn_until_crashed(1));
  CHECK(tells_signal(spool.stored(1)));
}

TEST_CASE("a spool that is removed and made again is watched again") {
  Spool spool;
  spool.watcher.scan_once();
  std::filesystem::remove_all(spool.dir.path());
  spool.watcher.turn(1000);
  REQUIRE(::mkdir(spool.dir.path().c_str(), 0700) == 0);
  spool.watcher.scan_once();
  Child program = spool.start_program({snapshot(1, State::kRunning)});
  REQUIRE(spool.turn_until([&] { return spool.watcher.watched() == 1; }));
  program.kill();
  CHECK(spool.turn_until_crashed(1));
}

}  // namespace kleptometrics::aggregator
