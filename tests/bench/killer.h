// Kills an aggregator at random moments of a load and starts it again at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/bench/load.h"
#include "tests/e2e/daemon.h"

namespace kleptometrics::bench {

class Killer {
 public:
  struct Result {
    unsigned kills = 0;
    double slowest_start_seconds = 0;  // from the kill until it is ready again
    std::string error;                 // it did not start again
  };

  // `kills` times, spread over the load of `runs`. Nobody else touches the daemon before stop(); the load may run.
  Killer(tests::Daemon& daemon, const Load& load, std::uint64_t runs, unsigned kills, std::uint64_t seed);
  ~Killer() { stop(); }
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;

  // Leaves the daemon running.
  Result stop();

 private:
  void kill_all(std::uint64_t runs, unsigned kills, std::uint64_t seed);

  tests::Daemon& daemon_;
  const Load& load_;
  std::atomic<bool> stopping_{false};
  Result result_;  // the thread's, until it has ended
  std::thread thread_;
};

}  // namespace kleptometrics::bench
