// Reads what RunEncoder wrote of a run. Internal to this room, like run_encoder.h. Pure; any thread.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <optional>
#include <string>

#include "aggregator/model/run.h"
#include "kleptometrics/v1/run.pb.h"

namespace kleptometrics::aggregator::wire {

// The parts that RunEncoder::write_rest wrote; the others stay as they are in an empty Run. nullopt if they are
// impossible.
std::optional<Run> decode_rest(const google::protobuf::RepeatedPtrField<std::string>& strings, const v1::Run& in);

}  // namespace kleptometrics::aggregator::wire
