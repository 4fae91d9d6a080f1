// Rollups as a store keeps them: the messages of store.proto. Pure functions of their arguments: any thread, nothing
// kept between calls.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/stats/rollup.h"

namespace kleptometrics::aggregator::wire {

// Equal rollups give equal bytes, an empty one none. Numbers are finite, as in every rollup that runs were added to.
std::string encode_rollup(const stats::Rollup& rollup);
// Reads what encode_rollup wrote, by this build or an older one: the same rollup, by ==. DataLoss if the bytes are not
// that. Memory and time are bounded by their length.
absl::StatusOr<stats::Rollup> decode_rollup(std::string_view bytes);

}  // namespace kleptometrics::aggregator::wire
