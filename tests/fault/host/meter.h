// What a program asks of the allocator, of locks and of the kernel, counted in the program itself: the C library's
// functions are replaced in it. Counts are those of the calling thread between start() and stop().
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics::fault {

struct Cost {
  std::uint64_t allocations = 0, locks = 0;
  std::uint64_t system_calls = 0;  // 0, or 1 for any number: the first ends the watch
  long first_call = -1;            // its number
};

class Meter {
 public:
  // False where the kernel does not let a program see its system calls.
  static bool sees_system_calls() noexcept;
  static void start() noexcept;
  static Cost stop() noexcept;
};

// Makes allocations of all threads fail: from arm() on, the `at`th; and all behind it if `for_good`.
struct Famine {
  static void arm(std::uint64_t at, bool for_good, std::atomic<std::uint64_t>* calls) noexcept;
};

}  // namespace kleptometrics::fault
