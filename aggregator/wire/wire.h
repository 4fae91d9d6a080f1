// The only room where protobuf and the model meet: ingest decodes pushes with it, the stores keep runs as
// its bytes. Generated headers are included by its .cc files alone.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/model/run.h"
#include "absl/status/statusor.h"

namespace kleptometrics::aggregator::wire {

// Canonical bytes of one run: a PushRequest that holds it alone, strings interned in order of first use, fields in order of their numbers.
// Equal runs give equal bytes. The last key of the merge order, and how a store keeps a run.
std::string encode_run(const Run& run);
// Reads what encode_run wrote, by this build or an older or newer one. DataLoss if it is not that.
absl::StatusOr<Run> decode_run(std::string_view bytes);

// One run of a push: either decoded and valid, or at fault.
using Decoded = std::variant<Run, FieldError>;

// Decodes a PushRequest. InvalidArgument if the message as a whole cannot be read (the whole push is then
// at fault); otherwise one entry a run, in order, each validated.
absl::StatusOr<std::vector<Decoded>> decode_push(std::string_view bytes);

struct Rejection {
  std::uint32_t index = 0;
  std::string field;
  std::string detail;
  bool retryable = false;
};
struct PushResult {
  std::uint64_t accepted = 0;
  std::uint64_t duplicates = 0;
  std::vector<Rejection> rejected;  // by index
};
std::string encode_result(const PushResult& result);

}  // namespace kleptometrics::aggregator::wire
