// The real kleptometricsd, started on ports and paths of the test's own, killed and started again at will, and asked
// over HTTP. Everything it keeps lies in a temporary directory.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"

namespace kleptometrics::tests {

using Json = nlohmann::json;

struct Ended {
  int exit_code = -1;  // -1: by a signal, or it had to be killed because it did not end in time
  std::string output;  // stdout and stderr
};

// Runs a program to its end, at most `seconds`. `environment`: NAME=VALUE, added to ours.
Ended run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment = {},
                  int seconds = 120);
// Starts a program and returns its pid; its output goes to `log`.
pid_t start_program(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                    const std::string& log);
// Waits for it, at most `seconds`, then kills it; its exit code or -1.
int wait_for(pid_t pid, int seconds);

struct Answer {
  int status = 0;  // 0: none came
  std::string body, content_type;
  Json json() const { return Json::parse(body); }
};

class Daemon {
 public:
  // Started and ready. `program`: what is run in place of kleptometricsd, with words of its own before the flags.
  explicit Daemon(std::vector<std::string> more_flags = {}, std::vector<std::string> program = {});
  ~Daemon();  // killed
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void start();        // launch(), and throws if it does not become ready
  void launch();       // without waiting
  bool await_ready();  // false: it ended, or took 30 s
  int terminate();     // SIGTERM; its exit code
  void kill();         // SIGKILL

  Answer get(const std::string& path) const;
  Answer send(const std::string& method, const std::string& path, const std::string& body,
              const std::string& content_type = "application/json") const;
  // The JSON of a GET that must be answered with 200.
  Json json(const std::string& path) const;
  // Asks until `path` is answered with JSON that `good` likes, some seconds at most; the last answer.
  template <typename Good>
  Json eventually(const std::string& path, Good good) const {
    for (int tries = 0;; ++tries) {
      const Answer answer = get(path);
      const Json last = answer.status == 200 ? answer.json() : Json();
      if ((answer.status == 200 && good(last)) || tries == 500) return last;
      pause();
    }
  }

  // Environment of a program that is to report to it.
  std::vector<std::string> environment() const;
  std::vector<std::string> flags() const;              // it is started with
  const std::string& store() const { return store_; }  // URL, if no flag says otherwise: store_under_test.h
  std::string endpoint() const;                        // unix:…
  const std::string& listen() const { return listen_; }
  std::string log() const;
  pid_t pid() const { return pid_; }  // 0: it does not run
  const TempDir& dir() const { return dir_; }

 private:
  static void pause();  // 20 ms between two looks at another process

  TempDir dir_;
  std::string store_;
  std::vector<std::string> more_flags_;
  std::vector<std::string> program_;
  pid_t pid_ = 0;
  std::string listen_;
};

std::string read_file(const std::string& path);

}  // namespace kleptometrics::tests
