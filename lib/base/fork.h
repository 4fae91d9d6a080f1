// Tells a process from the children it forks. What a child inherits may be in the hands of threads that it does not
// have: a lock may be held for ever, a file mapping is its parent's. So whoever owns such things notes the generation
// when it is made, and lets them be in every other.
#pragma once

#include <atomic>
#include <cstdint>

namespace kleptometrics {

namespace fork_detail {
inline std::atomic<std::uint64_t> generation{1};
}

// Once in a program, before what is to be told apart is made. Takes no lock on the way through fork() (pthread_atfork
// with a handler in the child alone). A child made without the C library's fork(), by a bare clone(2) or _Fork(), is
// not seen.
void count_forks() noexcept;

// Differs between a process and its children. Any thread.
inline std::uint64_t fork_generation() noexcept { return fork_detail::generation.load(std::memory_order_relaxed); }

}  // namespace kleptometrics
