// The aggregator's log: one line an event on stderr, `2026-01-31T08:00:00.123Z info what happened key=value`.
#pragma once

#include <string>
#include <string_view>

namespace kleptometrics::aggregator {

// `text` with line breaks and other control characters escaped, as `\x0a`: bytes from strangers shall not break a line.
std::string in_one_line(std::string_view text);

// Any thread. Line breaks and other control characters in `event` are escaped, so that bytes from strangers cannot
// forge a line.
void log_info(std::string_view event);
void log_error(std::string_view event);

}  // namespace kleptometrics::aggregator
