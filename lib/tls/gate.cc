#include "lib/tls/gate.h"

#include <openssl/crypto.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "lib/base/fork.h"

namespace kleptometrics::tls {
namespace {

// Bits 0 to 31: who is inside; 32: closed; above: the generation of the process that counts. What a forked child
// inherits is of another, and says nothing of its threads.
std::atomic<std::uint64_t> state{0};
constexpr unsigned kGenerationShift = 33;
constexpr std::uint64_t kClosed = 1ULL << 32U;
constexpr std::uint64_t kInside = kClosed - 1;

std::uint64_t of_this_process(std::uint64_t seen) noexcept {
  const std::uint64_t fresh = fork_generation() << kGenerationShift;
  return (seen >> kGenerationShift) == (fresh >> kGenerationShift) ? seen : fresh;
}

constexpr int kWaitsMax = 1000;
constexpr timespec kWait{0, 1'000'000};

}  // namespace

void prepare() noexcept {
  count_forks();
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
}

Pass::Pass() noexcept {
  std::uint64_t seen = state.load();
  std::uint64_t current = 0;
  do {
    current = of_this_process(seen);
    if ((current & kClosed) != 0) return;
  } while (!state.compare_exchange_weak(seen, current + 1));
  passed_ = true;
}

Pass::~Pass() {
  if (passed_) state.fetch_sub(1);
}

void close_gate() noexcept {
  std::uint64_t seen = state.load();
  while (!state.compare_exchange_weak(seen, of_this_process(seen) | kClosed)) {
  }
  for (int waits = 0; (state.load() & kInside) != 0 && waits < kWaitsMax; ++waits) ::nanosleep(&kWait, nullptr);
}

void leave_thread() noexcept {
  {
    const Pass pass;
    if (pass) {
      ::OPENSSL_thread_stop();
      return;
    }
  }
  for (;;) ::pause();
}

}  // namespace kleptometrics::tls
