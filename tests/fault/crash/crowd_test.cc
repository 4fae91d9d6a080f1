// 1,000 programs that do nothing are watched: what that costs, and what becomes of them when they all end at once.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "tests/fault/crash/programs.h"

namespace kleptometrics::fault {
namespace {

using tests::Daemon;
using tests::Json;

constexpr int kCrowd = 1000;
constexpr std::chrono::seconds kIdle(5);
constexpr double kShareMax = 0.01;  // of one processor

double cpu_seconds(pid_t pid) {
  double nanos = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    double own = 0;
    std::ifstream(task.path() / "schedstat") >> own;
    nanos += own;
  }
  return nanos / 1e9;
}

int pidfds_of(pid_t pid) {
  int count = 0;
  std::error_code error;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error))
    if (std::filesystem::read_symlink(fd.path(), error).string().find("pidfd") != std::string::npos) ++count;
  return count;
}

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

TEST_CASE("1,000 watched programs cost no CPU while idle, and are all crashed when they end at once") {
  const Daemon daemon;
  Program crowd(daemon, "crowd", std::to_string(kCrowd), daemon.environment(), kCrowd);
  for (int tries = 0; tries < 1500 && pidfds_of(daemon.pid()) < kCrowd; ++tries) pause();
  REQUIRE(pidfds_of(daemon.pid()) == kCrowd);

  const double before = cpu_seconds(daemon.pid());
  std::this_thread::sleep_for(kIdle);
  const double share = (cpu_seconds(daemon.pid()) - before) / std::chrono::duration<double>(kIdle).count();

  const auto begin = std::chrono::steady_clock::now();
  crowd.kill();
  int crashed = 0;
  for (int tries = 0; tries < 1500 && crashed < kCrowd; ++tries, pause()) {
    const tests::Answer stats = daemon.get("/api/v1/jobs/crowd/stats?outcome=crashed");
    if (stats.status == 200) crashed = stats.json().value("crashed", 0);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::cout << kCrowd << " watched programs: " << share * 100 << " % of a processor while idle; all of them crashed "
            << took.count() << " s after they ended at once" << std::endl;
  CHECK(crashed == kCrowd);
  CHECK(share < kShareMax);
}

}  // namespace
}  // namespace kleptometrics::fault
