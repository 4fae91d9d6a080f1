#include "lib/src/threads.h"

#include <pthread.h>

#include <new>

// Part of the ABI of every compiler here, but not of every <cxxabi.h>.
namespace __cxxabiv1 {
struct __cxa_eh_globals;
extern "C" __cxa_eh_globals* __cxa_get_globals() noexcept;
}  // namespace __cxxabiv1

namespace kleptometrics::internal {
namespace {

std::atomic<ThreadSlot*> slots{nullptr};
pthread_key_t key;                  // its value: the thread's slot
std::atomic<bool> watching{false};  // the key is there
constinit unsigned none_uncaught = 0;
constinit ThreadSlot nobody{{}, nullptr, &none_uncaught, 0, {}};

// By the ending thread, once its C++ objects of thread storage are gone. Those of the C library may follow, and still
// record: so it is put off for as long as it may be (PTHREAD_DESTRUCTOR_ITERATIONS, at least 4).
constexpr int kEndRounds = 3;
void on_thread_end(void* slot) noexcept {
  auto* ended = static_cast<ThreadSlot*>(slot);
  if (++ended->end_rounds < kEndRounds && ::pthread_setspecific(key, slot) == 0) return;
  this_slot = &nobody;
  ended->end_rounds = 0;
  ended->remembered = {};
  ended->uncaught = &none_uncaught;
  ended->thread.store(0, std::memory_order_release);
}

// Itanium C++ ABI, Exception Handling, 2.2.2: a pointer to the exceptions caught, then the number of those uncaught.
// Each thread has its own, where it is for as long as the thread lives.
const unsigned* uncaught_exceptions_of_this_thread() noexcept {
  const auto* globals = reinterpret_cast<const char*>(__cxxabiv1::__cxa_get_globals());
  return reinterpret_cast<const unsigned*>(globals + sizeof(void*));
}

ThreadSlot* take_slot(std::uint64_t number) noexcept {
  for (ThreadSlot* slot = slots.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    std::uint64_t no_thread = 0;
    if (slot->thread.compare_exchange_strong(no_thread, number, std::memory_order_acq_rel)) return slot;
  }
  auto* made = new (std::nothrow) ThreadSlot;
  if (made == nullptr) return nullptr;
  made->thread.store(number, std::memory_order_relaxed);
  made->next = slots.load(std::memory_order_relaxed);
  while (!slots.compare_exchange_weak(made->next, made, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return made;
}

}  // namespace

KLEPTO_NEAR constinit thread_local ThreadSlot* this_slot = &nobody;

std::uint64_t next_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

Thread this_thread() noexcept {
  if (this_slot != &nobody) return {this_slot, this_slot->thread.load(std::memory_order_relaxed)};
  const std::uint64_t number = next_number();
  ThreadSlot* const slot = take_slot(number);
  if (slot == nullptr) return {};
  slot->uncaught = uncaught_exceptions_of_this_thread();
  this_slot = slot;
  // Without a value for its key the end of the thread goes unseen: its slot is not used again.
  if (watching.load(std::memory_order_acquire)) ::pthread_setspecific(key, slot);
  return {slot, number};
}

void watch_threads() noexcept {
  if (::pthread_key_create(&key, on_thread_end) == 0) watching.store(true, std::memory_order_release);
}

}  // namespace kleptometrics::internal
