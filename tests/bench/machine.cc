#include "tests/bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kleptometrics::bench {

double resident_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::atof(line.c_str() + 6) / 1024;  // it is in KiB
  return 0;
}

std::uint64_t bytes_of_files(const std::string& dir, const std::string& begin) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir))
    if (entry.is_regular_file() && entry.path().filename().string().rfind(begin, 0) == 0) bytes += entry.file_size();
  return bytes;
}

MemoryWatch::MemoryWatch(pid_t pid) {
  thread_ = std::thread([this, pid] {
    while (!stopping_) {
      most_ = std::max(most_.load(), resident_mib(pid));
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    most_ = std::max(most_.load(), resident_mib(pid));
  });
}

double MemoryWatch::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return most_;
}

}  // namespace kleptometrics::bench
