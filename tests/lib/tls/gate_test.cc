#include "lib/tls/gate.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "lib/tls/context.h"
#include "tests/support/catch.h"

using namespace kleptometrics::tls;

namespace {

// What closes a gate does so in a child of the test's own, whose exit code it is.
template <typename Body>
int in_child(Body body) {
  prepare();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool passes() {
  const Pass pass;
  return static_cast<bool>(pass);
}

}  // namespace

TEST_CASE("A gate lets everybody in until it is closed, then nobody") {
  CHECK(passes());
  CHECK(in_child([] {
          if (!passes()) return 1;
          close_gate();
          close_gate();
          return passes() ? 2 : 0;
        }) == 0);
  CHECK(passes());
}

TEST_CASE("Behind a closed gate no connection is set up, and why is said") {
  CHECK(in_child([] {
          close_gate();
          std::string error;
          return Context::client("", &error) == nullptr && error == "the program is exiting" ? 0 : 1;
        }) == 0);
}

TEST_CASE("Who closes the gate waits for those inside") {
  CHECK(in_child([] {
          std::atomic<bool> inside{false};
          std::atomic<bool> leaving{false};
          std::thread worker([&] {
            const Pass pass;
            inside = true;
            for (int i = 0; i < 20; ++i) std::this_thread::yield();
            leaving = true;
          });
          while (!inside) std::this_thread::yield();
          close_gate();
          const bool waited = leaving;
          worker.join();
          return waited ? 0 : 1;
        }) == 0);
}

TEST_CASE("A child does not wait for a thread that its parent has inside") {
  const Pass pass;
  CHECK(in_child([] {
          ::alarm(5);  // it would wait for ever, or for a second
          close_gate();
          return passes() ? 1 : 0;
        }) == 0);
}

TEST_CASE("A thread that ends behind a closed gate does not: the program is about to") {
  CHECK(in_child([] {
          std::atomic<bool> ended{false};
          close_gate();
          std::thread([&] {
            leave_thread();
            ended = true;
          }).detach();
          ::usleep(20'000);
          return ended ? 1 : 0;
        }) == 0);
}
