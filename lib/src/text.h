// Cuts text from the host to what the wire allows, so that no name or message of a job is ever refused. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kleptometrics::internal {

// Valid UTF-8 of at most `bytes_max` bytes: what is not UTF-8 becomes U+FFFD, the cut falls between characters.
// `*cut` is set where anything was lost.
std::string clean_text(std::string_view text, std::size_t bytes_max, bool* cut);
// The same for a name (label key, counter, step): control characters and, where `separator` is given, that character
// become '_'; an empty name becomes "_".
std::string clean_name(std::string_view name, std::size_t bytes_max, char separator, bool* cut);
// A job name as the aggregator takes it: [A-Za-z0-9][A-Za-z0-9._:-]{0,199}.
std::string clean_job(std::string_view name, bool* cut);

}  // namespace kleptometrics::internal
