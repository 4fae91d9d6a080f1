// Processes by descriptor: real children, in every state of their end.
#include "aggregator/watch/pidfd.h"

#include <poll.h>

#include <cerrno>
#include <csignal>

#include "lib/journal/process.h"
#include "tests/aggregator/watch/spool.h"

namespace kleptometrics::aggregator {
namespace {

std::uint32_t pid_of(const Child& child) { return static_cast<std::uint32_t>(child.pid()); }
std::uint64_t ticks_of(const Child& child) { return journal::process_stat(pid_of(child))->start_ticks; }

bool ends(const UniqueFd& pidfd) {
  pollfd poll{pidfd.get(), POLLIN, 0};
  return ::poll(&poll, 1, 10'000) == 1;
}

TEST_CASE("a process is known by pid and start ticks together") {
  const Child child = sleeper();
  const UniqueFd pidfd = open_pidfd(pid_of(child), ticks_of(child));
  CHECK(pidfd.valid());
  CHECK_FALSE(has_ended(pidfd.get()));
  CHECK_FALSE(wait_status_of(pidfd.get(), pid_of(child)));
  CHECK_FALSE(open_pidfd(pid_of(child), ticks_of(child) + 1).valid());
  CHECK(errno == ESRCH);
}

TEST_CASE("a process that is gone has no descriptor") {
  Child child = sleeper();
  const std::uint32_t pid = pid_of(child);
  const std::uint64_t ticks = ticks_of(child);
  child.kill();
  CHECK_FALSE(open_pidfd(pid, ticks).valid());
  CHECK(errno == ESRCH);
}

TEST_CASE("how a process ended is known before it is reaped, and afterwards if the kernel tells") {
  Child child = sleeper();
  const std::uint32_t pid = pid_of(child);
  const UniqueFd pidfd = open_pidfd(pid, ticks_of(child));
  child.signal(SIGUSR2);
  REQUIRE(ends(pidfd));
  CHECK(has_ended(pidfd.get()));
  CHECK(wait_status_of(pidfd.get(), pid) == SIGUSR2);
  CHECK(child.wait() == SIGUSR2);
  const auto later = wait_status_of(pidfd.get(), pid);
  CHECK((!later || *later == SIGUSR2));
}

TEST_CASE("no two processes have the same identity, where there is one") {
  const Child one = sleeper();
  const Child two = sleeper();
  const UniqueFd first = open_pidfd(pid_of(one), ticks_of(one));
  const UniqueFd again = open_pidfd(pid_of(one), ticks_of(one));
  const UniqueFd second = open_pidfd(pid_of(two), ticks_of(two));
  CHECK(identity_of(first.get()) == identity_of(again.get()));
  if (identity_of(first.get())) CHECK(identity_of(first.get()) != identity_of(second.get()));
}

TEST_CASE("the pid of a process in its own namespace is the same as ours in ours") {
  CHECK(own_pid_of(static_cast<std::uint32_t>(::getpid())) == static_cast<std::uint32_t>(::getpid()));
  CHECK(own_pid_of(0) == 0);
}

}  // namespace
}  // namespace kleptometrics::aggregator
