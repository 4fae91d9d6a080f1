// The only room where protobuf and the model meet: ingest decodes pushes with it, the stores keep runs as
// its bytes. No other room includes a generated header, or one of ours that does. Pure functions of their arguments:
// any thread, nothing kept between calls. Bytes come from strangers; whatever they hold, the answer is a value or an
// error, in time and memory bounded by their length and the limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::wire {

// Canonical bytes of one run: a PushRequest that holds it alone, strings interned in order of first use,
// fields in order of their numbers (strings are used in that order too: job, labels, counters, steps, host,
// … boot id). Equal runs give equal bytes, in every build that knows the same fields.
std::string encode_run(const Run& run);
// The two parts of a run that merge apart, each in the same form as if the run held nothing else: the last
// keys of the merge orders, and how a store keeps a run. No annotations: no bytes. Of a run without them
// encode_snapshot and encode_run are the same.
std::string encode_snapshot(const Run& run);
std::string encode_annotations(const Annotations& annotations);
// Reads what encode_run or encode_snapshot wrote, by this build or an older or newer one; limits are not
// checked again. DataLoss if it is not that. decode_annotations the same of encode_annotations.
absl::StatusOr<Run> decode_run(std::string_view bytes);
absl::StatusOr<Annotations> decode_annotations(std::string_view bytes);

// One run of a push: either decoded and valid, or at fault.
using Decoded = std::variant<Run, FieldError>;

// Memory that the runs of one push may take once their interned strings are spelled out: a small body must
// not become a large heap.
inline constexpr std::size_t push_decoded_bytes_max = 128U << 20U;

// Decodes a PushRequest. InvalidArgument if the message as a whole cannot be read (the whole push is then
// at fault): not protobuf, a text that is not UTF-8, strings[0] not empty, more than limits::batch_runs_max
// runs, more than push_decoded_bytes_max. Otherwise one entry a run, in order, each validated and its snapshot
// within limits::run_bytes_max (annotations are bounded by themselves, and must not make a run too large
// that was taken without them). Unknown fields are ignored.
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
// A PushResponse, and back: DataLoss if the bytes are none.
std::string encode_result(const PushResult& result);
absl::StatusOr<PushResult> decode_result(std::string_view bytes);

// A PushRequest of the first of the runs, annotations and all: as many as fit `bytes_max`, at least one.
struct Push {
  std::string body;
  std::size_t runs = 0;
};
Push encode_push(const Run* first, std::size_t runs, std::size_t bytes_max);

}  // namespace kleptometrics::aggregator::wire
