// A program (program.cc) as a test holds it in hand: started, told to go on, stopped, killed.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"
#include "tests/e2e/daemon.h"
#include "tests/support/catch.h"

namespace kleptometrics::fault {

inline Uuid new_id() { return Uuid::make_v7(system_clock().now().wall); }

class Program {
 public:
  // Its run has begun when this returns. `what`: id of its run, or the size of a crowd, of which all have begun.
  Program(const tests::Daemon& daemon, const std::string& how, std::string what, std::vector<std::string> environment,
          int begun = 1)
      : id_(std::move(what)) {
    int in[2];
    int out[2];
    REQUIRE(::pipe(in) == 0);
    REQUIRE(::pipe(out) == 0);
    // Those are ours alone.
    for (const int fd : {in[1], out[0]}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    pid_ = tests::start_program({KLEPTO_CRASH_PROGRAM, how, id_, std::to_string(in[0]), std::to_string(out[1])},
                                environment, daemon.dir() / "programs");
    ::close(in[0]);
    ::close(out[1]);
    go_ = in[1];
    for (char byte = 0; begun > 0; --begun) REQUIRE(::read(out[0], &byte, 1) == 1);
    ::close(out[0]);
  }
  // One that reports to the aggregator in the common way.
  Program(const tests::Daemon& daemon, const std::string& how)
      : Program(daemon, how, new_id().text(), daemon.environment()) {}
  ~Program() {
    if (pid_ != 0) kill();
    ::close(go_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void go_on() const { REQUIRE(::write(go_, "g", 1) == 1); }
  void signal(int number) const { ::kill(pid_, number); }
  void kill() {
    signal(SIGKILL);
    wait();
  }
  void wait() { ::waitpid(std::exchange(pid_, 0), nullptr, 0); }
  void await_stop() const {
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
  }
  const std::string& id() const { return id_; }
  std::string path() const { return "/api/v1/runs/" + id_; }

 private:
  std::string id_;
  pid_t pid_ = 0;
  int go_ = -1;
};

// The run once it is in that state, or as it is after a long time without.
inline tests::Json run_in(const tests::Daemon& daemon, const Program& program, const std::string& state) {
  tests::Json run =
      daemon.eventually(program.path(), [&](const tests::Json& answer) { return answer["state"] == state; });
  INFO(run.dump());
  CHECK(run["state"] == state);
  return run;
}

}  // namespace kleptometrics::fault
