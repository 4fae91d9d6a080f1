// Delays and alerts as a store keeps them: the messages of store.proto. Pure functions of their arguments: any thread,
// nothing kept between calls.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/model/alert.h"

namespace kleptometrics::aggregator::wire {

std::string encode_delay(const Delay& delay);
std::string encode_alert(const Alert& alert);
// Read what was written above, by this build or an older one: the same values. DataLoss if the bytes are not that, or
// of a kind that this build does not know.
absl::StatusOr<Delay> decode_delay(std::string_view bytes);
absl::StatusOr<Alert> decode_alert(std::string_view bytes);

}  // namespace kleptometrics::aggregator::wire
