// Page tokens: a position in a list as opaque, url-safe text with a check sum, so that a mangled token is
// refused instead of read as another place. Stable between builds of one version of the API. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aggregator/store/store.h"

namespace kleptometrics::aggregator::http {

std::string page_token(const RunCursor& cursor);
std::optional<RunCursor> run_cursor_of(std::string_view token);

// Delays and alerts are lists of their own.
enum class FindingList : char { kDelays = 'd', kAlerts = 'a' };
std::string page_token(const FindingCursor& cursor, FindingList of);
std::optional<FindingCursor> finding_cursor_of(std::string_view token, FindingList of);

std::string page_token(std::string_view job_name);
std::optional<std::string> job_name_of(std::string_view token);

}  // namespace kleptometrics::aggregator::http
