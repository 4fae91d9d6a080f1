// What the tests of this room share: victim programs that record and are treated badly, how one is run, and what it
// left. Figures are those for continuous integration, times KLEPTO_FAULT_SCALE.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/transport.h"
#include "tests/fault/shim/shim.h"
#include "tests/support/temp_dir.h"

namespace kleptometrics::fault {

int scaled(int figure);

// Sanitizers bring an allocator and locks of their own, and take memory for what they know.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Of KLEPTO_FAULT_SEED, else fixed, so that a failure happens again; every failure prints it.
std::uint64_t seed();

// A program started by a test, its output in a file. Killed at the end if it still runs.
class Victim {
 public:
  // `environment`: NAME=VALUE, added to ours.
  Victim(std::vector<std::string> command, const std::vector<std::string>& environment);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // Its wait status; kHung, and it is killed, if that takes longer.
  static constexpr int kHung = -1;
  int wait(std::chrono::seconds limit = std::chrono::seconds(60));
  bool has_ended() { return pid_ == 0 || wait_once(); }
  // When wait() saw it end, of the steady clock.
  std::chrono::steady_clock::time_point ended_at() const { return ended_at_; }
  std::string output() const;
  pid_t pid() const { return pid_; }

 private:
  bool wait_once();

  tests::TempDir dir_;
  pid_t pid_ = 0;
  int status_ = kHung;
  std::chrono::steady_clock::time_point ended_at_;
};

// A sentence for messages: "exit code 3", "signal 11", "did not end in time".
std::string described(int status);

// Environment of a victim that reports to `endpoint` (by default: where nobody is) and has its journal in `spool`.
std::vector<std::string> reports_to(const std::string& spool, const std::string& endpoint = {});

// What the journals of programs that ended hold: the newest snapshot of every run.
struct Left {
  std::vector<fakes::PushedRun> runs;
  std::size_t journals = 0, damaged = 0;

  // The runs of a job.
  std::vector<fakes::PushedRun> of(const std::string& job) const;
};
Left left_in(const std::string& spool);

// An aggregator that takes every connection and never reads a byte.
class MuteAggregator {
 public:
  MuteAggregator();
  ~MuteAggregator();
  MuteAggregator(const MuteAggregator&) = delete;
  MuteAggregator& operator=(const MuteAggregator&) = delete;
  std::string endpoint() const { return "unix:" + dir_ / "mute.sock"; }
  std::size_t connections() const { return connections_; }

 private:
  tests::TempDir dir_;
  int listener_ = -1;
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The file by which the shim tells what it did.
class ShimReport {
 public:
  ShimReport();
  ~ShimReport();
  ShimReport(const ShimReport&) = delete;
  ShimReport& operator=(const ShimReport&) = delete;
  const Report* operator->() const { return report_; }
  // Environment under which the `at`th `call` fails with `error`.
  std::vector<std::string> environment(const std::string& call, std::uint64_t at, const std::string& error) const;

 private:
  tests::TempDir dir_;
  Report* report_ = nullptr;
};

// Calls `body` with 0, 1 … count - 1, a few at a time: most of what victims do is wait. It must not use the test
// framework, which is no friend of threads.
void at_once(std::size_t count, const std::function<void(std::size_t)>& body);

// Adds the second to the first.
std::vector<std::string> together(std::vector<std::string> some, const std::vector<std::string>& more);

}  // namespace kleptometrics::fault
