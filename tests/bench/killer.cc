#include "tests/bench/killer.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "lib/base/clock.h"
#include "tests/bench/history.h"

namespace kleptometrics::bench {

Killer::Killer(tests::Daemon& daemon, const Load& load, std::uint64_t runs, unsigned kills, std::uint64_t seed)
    : daemon_(daemon), load_(load) {
  thread_ = std::thread([=, this] {
    try {
      kill_all(runs, kills, seed);
    } catch (const std::exception& error) {
      result_.error = error.what();
    }
  });
}

void Killer::kill_all(std::uint64_t runs, unsigned kills, std::uint64_t seed) {
  Random random(seed ^ 0x4B696C6CU);
  for (unsigned kill = 0; kill < kills; ++kill) {
    const std::uint64_t part = runs / (kills + 1);
    const std::uint64_t at = kill * part + random.below(std::max<std::uint64_t>(1, part));
    while (!stopping_ && load_.accepted() < at) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (stopping_) return;
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20'000)));
    const Nanos begin = system_steady();
    daemon_.kill();
    daemon_.start();
    ++result_.kills;
    result_.slowest_start_seconds =
        std::max(result_.slowest_start_seconds, static_cast<double>(system_steady() - begin) / 1e9);
  }
}

Killer::Result Killer::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return result_;
}

}  // namespace kleptometrics::bench
