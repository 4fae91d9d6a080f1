#include "lib/src/threads.h"

#include <pthread.h>

#include <new>

#include "lib/src/step_node.h"

namespace kleptometrics::internal {
namespace {

std::atomic<ThreadSlot*> slots{nullptr};
pthread_key_t key;                  // its value: the thread's slot
std::atomic<bool> watching{false};  // the key is there
constinit thread_local Thread self{};

// By the ending thread, once its C++ objects of thread storage are gone; those of the C library may follow.
void on_thread_end(void* slot) noexcept {
  forget_cells();
  self = Thread{};
  static_cast<ThreadSlot*>(slot)->thread.store(0, std::memory_order_release);
}

ThreadSlot* take_slot(std::uint64_t number) noexcept {
  for (ThreadSlot* slot = slots.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    std::uint64_t nobody = 0;
    if (slot->thread.compare_exchange_strong(nobody, number, std::memory_order_acq_rel)) return slot;
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

std::uint64_t next_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

const Thread& this_thread() noexcept {
  if (self.slot != nullptr) return self;
  const std::uint64_t number = next_number();
  self = {take_slot(number), number};
  // Without a value for its key the end of the thread goes unseen: its slot is not used again.
  if (self.slot != nullptr && watching.load(std::memory_order_acquire)) ::pthread_setspecific(key, self.slot);
  return self;
}

void watch_threads() noexcept {
  if (::pthread_key_create(&key, on_thread_end) == 0) watching.store(true, std::memory_order_release);
}

}  // namespace kleptometrics::internal
