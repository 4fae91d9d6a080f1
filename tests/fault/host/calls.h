// R4: which system call fails, and how.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kleptometrics::fault {

struct CallFault {
  std::string call;
  std::uint64_t at = 0;  // from 1
  std::string error;
  std::string text() const { return call + " number " + std::to_string(at) + " fails with " + error; }
};

inline const std::vector<std::string>& errors_of(const std::string& call) {
  static const std::vector<std::string> all{"EIO", "ENOSPC", "EMFILE", "EINTR"};
  static const std::vector<std::string> and_short{"EIO", "ENOSPC", "EMFILE", "EINTR", "short"};
  return call == "write" || call == "pwrite" || call == "send" ? and_short : all;
}

// Each of the calls, and a few beyond the last: threads do not count the same every time.
inline void add_faults(const std::string& call, std::uint64_t calls, std::vector<CallFault>& faults) {
  for (const std::string& error : errors_of(call))
    for (std::uint64_t at = 1; calls != 0 && at <= calls + 2; ++at) faults.push_back({call, at, error});
}

}  // namespace kleptometrics::fault
