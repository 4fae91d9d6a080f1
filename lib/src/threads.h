// Tells threads apart, and whether one has ended, so that what a thread kept for itself can be handed on to another.
// One slot for each thread that lives at the same time; slots are used again and never freed. No lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics::internal {

struct ThreadSlot {
  std::atomic<std::uint64_t> thread{0};  // number of the thread that has it; 0: none, it has ended
  ThreadSlot* next = nullptr;            // fixed once published
};

// A thread, by its slot and the number that it got there. Numbers are never used again in a process.
struct Thread {
  ThreadSlot* slot = nullptr;  // null: unknown, for want of memory
  std::uint64_t number = 0;

  // Once true it stays so, and all that the thread did is visible.
  bool ended() const noexcept { return slot->thread.load(std::memory_order_acquire) != number; }
  bool operator==(const Thread&) const = default;
};

// The calling thread. One that goes on after its thread-local objects were destroyed is a new one each time it asks.
const Thread& this_thread() noexcept;

// Once in a program, before the first of all others: from then on ends of threads are seen.
void watch_threads() noexcept;

// Never answers the same twice in a process.
std::uint64_t next_number() noexcept;

}  // namespace kleptometrics::internal
