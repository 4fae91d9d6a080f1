// Tells threads apart, and whether one has ended, so that what a thread kept for itself can be handed on to another.
// One slot for each thread that lives at the same time; slots are used again and never freed. No lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kleptometrics::internal {

struct ThreadCell;

struct StepNode;

// A cell that a thread used lately, by the uid of its step. One of a step that is gone never matches, since uids are
// not used again.
struct RememberedCell {
  std::uint64_t uid = 0;
  ThreadCell* cell = nullptr;
};

struct ThreadSlot {
  static constexpr std::size_t kRemembered = 64;

  std::atomic<std::uint64_t> thread{0};  // number of the thread that has it; 0: none, it has ended
  ThreadSlot* next = nullptr;            // fixed once published
  // The rest is the thread's own.
  const unsigned* uncaught = nullptr;  // what std::uncaught_exceptions() reads, without the call
  int end_rounds = 0;                  // times that its end was seen
  std::array<RememberedCell, kRemembered> remembered{};

  // By the place of the node in memory, which whoever asks has at hand.
  RememberedCell& remembered_of(const StepNode* node) noexcept {
    return remembered[reinterpret_cast<std::uintptr_t>(node) / 64 % kRemembered];
  }
};

// A thread, by its slot and the number that it got there. Numbers are never used again in a process.
struct Thread {
  ThreadSlot* slot = nullptr;  // null: unknown, for want of memory
  std::uint64_t number = 0;

  // Once true it stays so, and all that the thread did is visible.
  bool ended() const noexcept { return slot->thread.load(std::memory_order_acquire) != number; }
};

// The calling thread. One that goes on after its thread-local objects were destroyed is a new one.
Thread this_thread() noexcept;

// The slot of the calling thread, or one that remembers nothing. A single word, since threads have little room for
// what is as near as this ("initial-exec") in a library that is loaded late.
#if defined(__GNUC__)
#define KLEPTO_NEAR [[gnu::tls_model("initial-exec")]]
#else
#define KLEPTO_NEAR
#endif
KLEPTO_NEAR extern constinit thread_local ThreadSlot* this_slot;

// Once in a program, before the first of all others: from then on ends of threads are seen.
void watch_threads() noexcept;

// Never answers the same twice in a process.
std::uint64_t next_number() noexcept;

}  // namespace kleptometrics::internal
