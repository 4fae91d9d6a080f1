// Fuzz target: a cron expression as anyone may send one. Whatever it is, it is refused with a sentence that can be
// shown, or it comes, again and again, at minutes that it names.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "aggregator/model/utf8.h"
#include "aggregator/schedule/cron.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics::aggregator {
namespace {

using fuzz::expect;
using schedule::Cron;

constexpr std::size_t kRefusalBytesMax = 1000;
constexpr int kFollowing = 5;

void check_occurrences(const Cron& cron, absl::CivilMinute at) {
  for (int i = 0; i < kFollowing; ++i) {
    const auto next = cron.at_or_after(at);
    expect(next.has_value(), "an expression that was taken comes");
    expect(*next >= at && cron.matches(*next), "what comes next is named and not past");
    const auto last = cron.at_or_before(*next);
    expect(last == next, "what comes at a minute is the last by then");
    const auto before = cron.at_or_before(*next - 1);
    expect(before && *before < at, "nothing that is named lies between");
    at = *next + 1;
  }
}

void read_as_cron(std::string_view text) {
  const auto cron = Cron::parse(text);
  if (!cron.ok()) {
    const auto message = cron.status().message();
    expect(!message.empty() && message.size() < kRefusalBytesMax, "a refusal says why, in few words");
    expect(valid_utf8({message.data(), message.size()}), "a refusal can be shown");
    return;
  }
  // Where to begin is drawn from the text.
  unsigned seed = 0;
  for (const char c : text) seed = seed * 31 + static_cast<unsigned char>(c);
  check_occurrences(*cron, absl::CivilMinute(1970) + static_cast<int>(seed % (290U * 365 * 24 * 60)));
}

}  // namespace
}  // namespace kleptometrics::aggregator

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::aggregator::read_as_cron({reinterpret_cast<const char*>(data), size});
  return 0;
}
