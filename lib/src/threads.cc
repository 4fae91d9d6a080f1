#include "lib/src/threads.h"

#include <cxxabi.h>
#include <pthread.h>

#include <new>

namespace kleptometrics::internal {
namespace {

std::atomic<ThreadSlot*> slots{nullptr};
pthread_key_t key;                  // its value: the thread's slot
std::atomic<bool> watching{false};  // the key is there
constinit unsigned none_uncaught = 0;
constinit ThreadSlot nobody{{}, nullptr, &none_uncaught, {}};

// By the ending thread, once its C++ objects of thread storage are gone; those of the C library may follow.
void on_thread_end(void* slot) noexcept {
  this_slot = &nobody;
  auto* ended = static_cast<ThreadSlot*>(slot);
  ended->remembered = {};
  ended->uncaught = &none_uncaught;
  ended->thread.store(0, std::memory_order_release);
}

// Itanium C++ ABI, Exception Handling, 2.2.2: a pointer to the exceptions caught, then the number of those uncaught.
// Each thread has its own, where it is for as long as the thread lives.
const unsigned* uncaught_exceptions_of_this_thread() noexcept {
  const auto* globals = reinterpret_cast<const char*>(abi::__cxa_get_globals());
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
