// Processes by descriptor (pidfd_open(2)): one names a process for as long as it is open, whatever becomes of the pid,
// and polls readable once all of its threads have ended. Any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "aggregator/base/unique_fd.h"
#include "lib/journal/journal.h"

namespace kleptometrics::aggregator {

// Of the process that has this pid and began at these ticks. Not valid, with errno: ESRCH if it is gone (the pid may be
// another's by now), EMFILE and so on if there is none to be had.
UniqueFd open_pidfd(std::uint32_t pid, std::uint64_t start_ticks);

// True if the process has ended, reaped or not.
bool has_ended(int pidfd);

// How it ended, as waitpid(2) tells: from the kernel (PIDFD_GET_INFO, 6.15 and later) once it is reaped, from /proc
// before that. nullopt if it has not ended, or nobody says.
std::optional<int> wait_status_of(int pidfd, std::uint32_t pid);

// Number that no two processes of a boot have in common, where descriptors of processes have a file system of their
// own (6.9 and later); nullopt elsewhere.
std::optional<std::uint64_t> identity_of(int pidfd);

// The pid that a process has in its own, innermost, pid namespace; 0 if it cannot be seen.
std::uint32_t own_pid_of(std::uint32_t pid);

}  // namespace kleptometrics::aggregator
