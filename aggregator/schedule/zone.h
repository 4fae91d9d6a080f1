// Time zones by their names. Pure but for the look-up, which reads the system's time zone database; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace kleptometrics::aggregator::schedule {

// The zone of an IANA name such as `Europe/Berlin`; `UTC` is always there. nullopt for names that the system does not
// know, and for what is no name but a path or a rule. Strangers may ask for any name: nothing is kept of one that is
// unknown.
std::optional<absl::TimeZone> find_time_zone(std::string_view name);

}  // namespace kleptometrics::aggregator::schedule
