// Instants as texts of RFC 3339. Shared by the aggregator, whose answers hold them, and by the library that asks it
// questions. Pure.
#pragma once

#include <string>

#include "lib/base/clock.h"

namespace kleptometrics {

// In UTC, with as many fractional digits as needed: `2026-01-31T08:00:00Z`, `2026-01-31T08:00:00.5Z`.
std::string instant_text(Nanos at);

}  // namespace kleptometrics
