// The sentences of alerts, each with the arithmetic that led to it. Pure; any thread.
#pragma once

#include <string>

#include "aggregator/model/alert.h"
#include "aggregator/rules/facts.h"
#include "aggregator/rules/limits.h"

namespace kleptometrics::aggregator::rules {

// `12 min 30 s`, `2 d 1 h`, `250 ms`, `0 s`: without what is less than a second from a minute on. Requires at least 0.
std::string length_text(Nanos length);
// The same of a length beyond a limit (above or below it): to the nanosecond where it would read as the limit does.
std::string length_text(Nanos length, Nanos limit);

// `started 12 min 30 s after 2026-01-31T02:00:00Z; 5 min are allowed`.
std::string late_start_text(Nanos scheduled_at, Nanos delay, Nanos grace);
// `not started 5 min after 2026-01-31T02:00:00Z, which is all that is allowed`.
std::string missed_text(Nanos scheduled_at, Nanos grace);
// `runs for more than 30 min, since 2026-01-31T02:00:00Z; 30 min are allowed`.
std::string overrun_text(Nanos started_at, Nanos limit);
// `runs for more than 30 min, since 2026-01-31T02:00:00Z; 22 min are usual, by 200 runs`.
std::string slower_text(Nanos started_at, const Limits& limits);
// `succeeded after 3 s; at least 1 min are expected`, with learned limits `… ; 22 min are usual, by 200 runs, and at
// least 10 min`.
std::string shift_text(const Shift& shift);
std::string too_short_text(Nanos duration, Nanos min_duration);
std::string too_short_text(Nanos duration, const Limits& limits);
// `failed at 2026-01-31T02:10:00Z: disk full`, `crashed at …: signal 9; 3 runs in a row, and 2 are enough for an
// alert`.
std::string failure_text(const RunFacts& run, std::uint32_t in_a_row, std::uint32_t enough);

}  // namespace kleptometrics::aggregator::rules
