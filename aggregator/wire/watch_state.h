// What the watch over a job remembers, as bytes: the messages of watch.proto. Pure functions of their arguments: any
// thread, nothing kept between calls.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/rules/state.h"

namespace kleptometrics::aggregator::wire {

struct SavedWatch {
  rules::JobWatchState state;
  Nanos saved_at = 0;  // wall clock
};

std::string encode_watch(const SavedWatch& watch);
// Reads what was written above, by this build or an older one. DataLoss if the bytes are not that.
absl::StatusOr<SavedWatch> decode_watch(std::string_view bytes);

}  // namespace kleptometrics::aggregator::wire
