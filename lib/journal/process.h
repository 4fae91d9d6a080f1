// Telling processes apart by /proc. For the writer and the reader of journals, and for who watches the programs that
// write them. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/journal/journal.h"

namespace kleptometrics::journal {

// What /proc/PID/stat says of a process.
struct ProcessStat {
  char state = '?';                // proc(5); Z and X: it has exited, or its first thread has
  std::uint64_t threads = 0;       // more than one: it is its first thread alone that has
  std::uint64_t start_ticks = 0;   // since the boot; with the pid, and the boot id, it names a process for good
  std::optional<int> wait_status;  // of one that has exited, where we may see it
  bool exited() const noexcept { return (state == 'Z' || state == 'X') && threads <= 1; }
};

// Of the process with this pid (in our pid namespace); nullopt if there is none.
std::optional<ProcessStat> process_stat(std::uint32_t pid);

// True if the process has a file of that name mapped: one that called exec has not. Also true where that cannot be
// seen.
bool maps_file(std::uint32_t pid, std::string_view name);

// Where a producer is, as seen from this process.
enum class Whereabouts {
  kHere,       // its pid is one of ours
  kElsewhere,  // in another pid namespace of this machine: its pid says nothing here
  kGone,       // nowhere: the machine was started anew since; or it is that of another machine, or unknown
};
Whereabouts whereabouts(const Producer& producer);

// True if `producer` runs on this machine, as far as this process can see: the same boot and pid namespace,
// and a process with its pid and start ticks that has not exited (a zombie has) and has a file of that name mapped
// (one that called exec has not; where that cannot be seen it is taken to have).
bool is_alive(const Producer& producer, std::string_view journal_name);

}  // namespace kleptometrics::journal
