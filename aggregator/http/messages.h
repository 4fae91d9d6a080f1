// Jobs as messages of query.proto: what the wire cannot name, since a view of a job is the query room's. Everything
// else goes from the handlers to the wire directly. Pure functions: any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aggregator/query/query.h"

namespace kleptometrics::aggregator::http {

std::string job_message(const query::JobView& job);
// `next_page_token` empty: nothing is left.
std::string jobs_message(const std::vector<query::JobView>& jobs, std::string_view next_page_token);

}  // namespace kleptometrics::aggregator::http
