#include "lib/base/fork.h"

#include <pthread.h>

namespace kleptometrics {

void count_forks() noexcept {
  static std::atomic<bool> counting{false};  // not a guarded static: its guard could be held at a fork
  if (counting.exchange(true)) return;
  ::pthread_atfork(nullptr, nullptr, [] { fork_detail::generation.fetch_add(1, std::memory_order_relaxed); });
}

}  // namespace kleptometrics
