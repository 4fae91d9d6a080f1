// Telling processes apart by /proc. For writer and reader alone.
#pragma once

#include "lib/journal/journal.h"

namespace kleptometrics::journal {

// True if `producer` runs on this machine, as far as this process can see: the same boot and pid namespace,
// and a process with its pid and start ticks that has not exited (a zombie has) and has a file of that name mapped
// (one that called exec has not; where that cannot be seen it is taken to have).
bool is_alive(const Producer& producer, std::string_view journal_name);

}  // namespace kleptometrics::journal
