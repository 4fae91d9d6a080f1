// How a run looks that one aggregator passed on to another: the former watches over the run's program and gives the
// verdict when that is gone, so that the latter is not to take silence, of a link that is down, for a death. Kept in
// the run itself, as whoever reads it later must know, too: after a restart, or another aggregator of the same store.
#pragma once

#include <string_view>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator {

// In place of a boot's id: the pid is none that an aggregator which reads this could look for.
inline constexpr std::string_view kForwardedBoot = "forwarded";

inline bool forwarded(const Run& run) { return run.boot_id == kForwardedBoot; }
// Of what reports by plain HTTP nobody watches the program, and there is nothing to be said.
inline void mark_forwarded(Run& run) {
  if (run.reporter == Reporter::kLibrary) run.boot_id = kForwardedBoot;
}

}  // namespace kleptometrics::aggregator
