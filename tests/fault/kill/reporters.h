// The reporting program (reporter.cc) as a test holds it in hand: started against an aggregator, spurred on or listened
// to, killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/daemon.h"
#include "tests/fault/kill/told.h"

namespace kleptometrics::fault {

// Records past runs of a seed, a chunk at a time.
class PastReporter {
 public:
  // `more`: environment beside that of the aggregator.
  PastReporter(const tests::Daemon& daemon, std::uint64_t seed, std::uint64_t first, std::uint64_t last,
               std::uint64_t chunk, const std::vector<std::string>& more = {});
  ~PastReporter();  // killed
  PastReporter(const PastReporter&) = delete;
  PastReporter& operator=(const PastReporter&) = delete;

  void go_on() const;  // one more chunk
  // Waits until all that it was let record is delivered. True if nothing was lost on the way.
  bool finish();
  // What it said of that: `delivered=…`, `duplicates=…` and so on.
  std::string said() const { return tests::read_file(log_); }
  std::uint64_t said(const std::string& name) const;

 private:
  std::string log_;
  pid_t pid_ = 0;
  int spur_ = -1;
};

// A program that lives until it is killed, and what it had told by then.
class LiveReporter {
 public:
  // `more` likewise.
  LiveReporter(const tests::Daemon& daemon, std::uint64_t seed, const std::vector<std::string>& more = {});
  ~LiveReporter();  // killed
  LiveReporter(const LiveReporter&) = delete;
  LiveReporter& operator=(const LiveReporter&) = delete;

  void listen_until(std::chrono::steady_clock::time_point until);
  // Listens until it says such a word; false if it does not, for a long time.
  bool listen_for(Told::Kind kind);
  // Kills it, and hears it out. The signal that ended it: SIGKILL, or it had ended before; 0: by itself.
  int kill();

  std::uint64_t seed() const { return seed_; }
  const std::vector<Told>& told() const { return told_; }

 private:
  bool hear(int timeout_ms);

  const std::uint64_t seed_;
  pid_t pid_ = 0;
  int words_ = -1;
  std::vector<Told> told_;
};

}  // namespace kleptometrics::fault
