// The way out: runs, and the answers to pushes. decode.cc is the way in.
#include "aggregator/wire/wire.h"

#include <google/protobuf/arena.h>

#include <cstdint>

#include "aggregator/wire/run_encoder.h"
#include "kleptometrics/v1/run.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

constexpr std::size_t kFramingMax = 6;          // of a field: tag and length
constexpr std::size_t kArenaStartBytes = 4096;  // on the stack; holds a plain run whole

// A request of one run, which `write` fills.
template <typename Write>
std::string encoded(Write write) {
  char start[kArenaStartBytes];
  google::protobuf::Arena arena(start, sizeof start);
  auto* request = google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  Interner strings(*request->mutable_strings());
  RunEncoder encoder(strings, *request->add_runs());
  write(encoder);
  return request->SerializeAsString();
}

}  // namespace

std::string encode_run(const Run& run) {
  return encoded([&](RunEncoder& encoder) { encoder.write(run, run.annotations); });
}

std::string encode_snapshot(const Run& run) {
  return encoded([&](RunEncoder& encoder) { encoder.write(run, Annotations()); });
}

std::string encode_annotations(const Annotations& annotations) {
  if (annotations == Annotations{}) return {};
  return encoded([&](RunEncoder& encoder) { encoder.write(annotations); });
}

std::string encode_result(const PushResult& result) {
  v1::PushResponse response;
  response.set_accepted(result.accepted);
  response.set_duplicates(result.duplicates);
  for (const Rejection& rejection : result.rejected) {
    v1::Rejection& out = *response.add_rejected();
    out.set_index(rejection.index);
    out.set_field(rejection.field);
    out.set_detail(rejection.detail);
    out.set_retryable(rejection.retryable);
  }
  return response.SerializeAsString();
}

Push encode_push(const Run* first, std::size_t runs, std::size_t bytes_max) {
  google::protobuf::Arena arena;
  auto* request = google::protobuf::Arena::CreateMessage<v1::PushRequest>(&arena);
  Interner strings(*request->mutable_strings());
  Push push;
  std::size_t bytes = 0;
  for (; push.runs < runs; ++push.runs) {
    const Run& run = first[push.runs];
    v1::Run& out = *request->add_runs();
    RunEncoder(strings, out).write(run, run.annotations);
    bytes += out.ByteSizeLong() + kFramingMax;
    // Anew, without the strings of the last.
    if (bytes + strings.bytes() > bytes_max && push.runs != 0) return encode_push(first, push.runs, SIZE_MAX);
  }
  push.body = request->SerializeAsString();
  return push;
}

}  // namespace kleptometrics::aggregator::wire
