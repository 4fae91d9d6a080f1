// The runs of a row of `log`: as they were committed, in a chunk (wire/chunk.h). Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::postgres {

std::string encode_log(const std::vector<const Run*>& runs, Nanos now);
// Every run of the chunk, in the order in which they were given.
absl::Status each_run(std::string_view chunk, absl::FunctionRef<void(Run&&)> visit);
// Those that have ended, are not among the ids in `replaced`, and are `wanted` by their job and start.
absl::Status each_ended(std::string_view chunk, std::string_view replaced,
                        absl::FunctionRef<bool(const std::string& job, Nanos started_at)> wanted,
                        absl::FunctionRef<void(Run&&)> visit);

}  // namespace kleptometrics::aggregator::postgres
