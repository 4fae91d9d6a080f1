// Fuzz target: the body of a push as a stranger may send it. Whatever it holds, the answer is an error or runs that are
// valid, within their size, and the same after they were stored and read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "aggregator/model/run.h"
#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics::aggregator {
namespace {

using fuzz::expect;

// What the committer and the stores do with a run that was let in.
void check_run(const Run& run) {
  expect(!validate(run), "a run that was let in is valid");
  const std::string bytes = wire::encode_run(run);
  expect(wire::encode_snapshot(run).size() <= limits::run_bytes_max, "a run that was let in is within its size");
  const auto stored = wire::decode_run(bytes);
  expect(stored.ok(), "a run that was let in can be read back");
  expect(*stored == run, "a run comes back as it went");
  expect(wire::encode_run(*stored) == bytes, "a run that came back has the bytes it had");
  const auto annotations = wire::decode_annotations(wire::encode_annotations(run.annotations));
  expect(annotations.ok() && *annotations == run.annotations, "annotations come back as they went");
}

// An aggregator that forwards what it took is a stranger to the next one.
void check_forwarded(const Run& run) {
  const std::string bytes = wire::encode_run(run);
  const auto again = wire::decode_push(bytes);
  expect(again.ok() && again->size() == 1, "the bytes of a run are a push of one run");
  expect(std::holds_alternative<Run>(again->front()), "a run that was let in is let in again");
  expect(wire::encode_run(std::get<Run>(again->front())) == bytes, "it has the same bytes the second time");
}

void check_fault(const FieldError& fault) { expect(!fault.detail.empty(), "a run that is refused is told why"); }

void read_as_push(std::string_view bytes) {
  const auto runs = wire::decode_push(bytes);
  if (!runs.ok()) return;
  expect(runs->size() <= limits::batch_runs_max, "a push has no more runs than the limit");
  for (const wire::Decoded& decoded : *runs) {
    if (const auto* fault = std::get_if<FieldError>(&decoded)) {
      check_fault(*fault);
    } else {
      check_run(std::get<Run>(decoded));
      check_forwarded(std::get<Run>(decoded));
    }
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::aggregator::read_as_push({reinterpret_cast<const char*>(data), size});
  return 0;
}
