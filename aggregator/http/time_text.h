// Times as the API spells them: instants in RFC 3339 (written by lib/base/instant.h), lengths such as `36h`, durations
// as numbers of seconds. Used by the JSON and by the query parameters. Pure: the present is a parameter, so tests are
// arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/instant.h"

namespace kleptometrics::aggregator::http {

// Reads any date-time of RFC 3339, section 5.6: offsets, either case of T and Z, up to nine fractional
// digits; a leap second (23:59:60 UTC) is the second after it. nullopt for everything else, and for years
// that Nanos does not reach (before 1677, after 2262).
std::optional<Nanos> parse_instant(std::string_view text);

// Reads a length: digits and one of s, m, h, d, w. nullopt for everything else and for more than 292 years.
std::optional<Nanos> parse_length(std::string_view text);

// Seconds as a number. Reading what was written gives the same nanoseconds up to 2^23 seconds (97 days);
// beyond, a double is coarser than one nanosecond.
double seconds_of(std::uint64_t nanos);
double signed_seconds_of(Nanos nanos);
// The nearest nanoseconds. nullopt for what is negative, not finite, or does not fit into Nanos.
std::optional<Nanos> nanos_of(double seconds);

}  // namespace kleptometrics::aggregator::http
