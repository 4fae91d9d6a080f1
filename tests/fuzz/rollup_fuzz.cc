// Fuzz target: a rollup's bytes as a damaged store may hold them. Whatever they are, the answer is an error, or a
// rollup that is the same after it was written and read back, and that can be merged and asked.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "aggregator/stats/rollup.h"
#include "aggregator/wire/rollups.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics::aggregator {
namespace {

using fuzz::expect;
using stats::Rollup;

void check_form(const Rollup& rollup) {
  const std::string bytes = wire::encode_rollup(rollup);
  const auto again = wire::decode_rollup(bytes);
  expect(again.ok(), "a rollup that was read can be written and read back");
  expect(*again == rollup, "a rollup comes back as it went");
  expect(wire::encode_rollup(*again) == bytes, "a rollup that came back has the bytes it had");
}

void check_use(const Rollup& rollup) {
  const stats::Stats stats =
      stats::stats_of(rollup, {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed});
  expect(stats.count == 0 || !std::isnan(*stats.median), "a rollup has a median or nothing");
  Rollup sum;
  sum.merge(rollup);
  expect(sum == rollup, "a rollup merged into nothing is itself");
  sum.merge(rollup);
}

void read_as_rollup(std::string_view bytes) {
  const auto rollup = wire::decode_rollup(bytes);
  if (!rollup.ok()) return;
  check_form(*rollup);
  check_use(*rollup);
}

}  // namespace
}  // namespace kleptometrics::aggregator

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::aggregator::read_as_rollup({reinterpret_cast<const char*>(data), size});
  return 0;
}
