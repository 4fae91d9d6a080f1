// What a process and its files take, read from the system.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace kleptometrics::bench {

// Resident memory in MiB; 0 if there is no such process.
double resident_mib(pid_t pid);

// Bytes of all files of a folder whose names begin so: a database with what lies beside it.
std::uint64_t bytes_of_files(const std::string& dir, const std::string& begin);

// Looks at the memory of a process ten times a second, until stopped.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t pid);
  ~MemoryWatch() { stop(); }
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  // The most that was seen, in MiB.
  double stop();

 private:
  std::atomic<bool> stopping_{false};
  std::atomic<double> most_{0};
  std::thread thread_;
};

}  // namespace kleptometrics::bench
