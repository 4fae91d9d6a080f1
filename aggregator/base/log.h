// The aggregator's log: one line an event on stderr, `2026-01-31T08:00:00.123Z info what happened key=value`.
#pragma once

#include <string_view>

namespace kleptometrics::aggregator {

// Any thread. Line breaks and other control characters in `event` are escaped, so that bytes from strangers cannot
// forge a line.
void log_info(std::string_view event);
void log_error(std::string_view event);

}  // namespace kleptometrics::aggregator
