// What a process knows of itself: the facts that every run carries for free, and what it has used so far.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/descriptor.h"

namespace kleptometrics::internal {

struct Program {
  std::string host;      // gethostname
  std::string name;      // file name of the executable
  std::string build_id;  // lower-case hexadecimal of the ELF note NT_GNU_BUILD_ID; empty if it has none
  std::string boot_id;   // text of /proc/sys/kernel/random/boot_id: of which boot the pid is
  std::uint32_t pid = 0;
};
// Reads them now; the pid is that of the caller.
Program this_program();

// Totals of the process since it began.
struct Usage {
  std::uint64_t cpu_user_ns = 0;
  std::uint64_t cpu_system_ns = 0;
  std::uint64_t max_rss_bytes = 0;
  std::optional<std::uint64_t> read_bytes;   // from and to storage, as /proc/self/io counts;
  std::optional<std::uint64_t> write_bytes;  // absent where that may not be read
};

// Keeps /proc/self/io open between readings. Any thread; never fails.
class UsageMeter {
 public:
  UsageMeter() noexcept;
  Usage read() const noexcept;

 private:
  Descriptor io_;  // read though it may not be ours any more: reading harms nobody
};

}  // namespace kleptometrics::internal
