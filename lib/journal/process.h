// Telling processes apart by /proc. For writer and reader alone.
#pragma once

#include "lib/journal/journal.h"

namespace kleptometrics::journal {

// True if `producer` runs on this machine, as far as this process can see: the same boot and pid namespace,
// and a process with its pid and start ticks that has not exited (a zombie has).
bool is_alive(const Producer& producer);

}  // namespace kleptometrics::journal
