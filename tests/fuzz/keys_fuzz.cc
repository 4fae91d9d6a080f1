// Fuzz target: a file of API keys, and behind its first line the field Authorization of a request. Whatever they are, a
// file is refused in one line that does not repeat it or is read for what it says, and nothing is granted but to a
// key that is known.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "aggregator/keys/key_ring.h"
#include "tests/fuzz/expect.h"

namespace kleptometrics::aggregator::keys {
namespace {

using fuzz::expect;

constexpr std::size_t kRefusalBytesMax = 200;

void check_refusal(std::string_view message) {
  expect(message.substr(0, 5) == "keys:", "a refusal names its place");
  expect(message.size() < kRefusalBytesMax, "a refusal is short");
  expect(std::all_of(message.begin(), message.end(), [](char c) { return c >= ' ' && c <= '~'; }),
         "a refusal is one line of plain text");
}

void check_ring(const KeyRing& ring) {
  std::string lines;
  for (const KnownKey& key : ring.keys()) lines += line_of(key) + "\n";
  const auto again = KeyRing::parse(lines, "keys");
  expect(again.ok() && again->keys().size() == ring.keys().size(), "keys are read back as they are written");
  for (std::size_t i = 0; i < ring.keys().size(); ++i) {
    const KnownKey& one = ring.keys()[i];
    const KnownKey& two = again->keys()[i];
    expect(one.name == two.name && one.scope == two.scope && equal(one.hash, two.hash), "a key comes back as it went");
    expect(is_name(one.name) && one.scope != Scope::kNone, "a key has a name and a scope");
  }
}

bool holds_known_key(const KeyRing& ring, std::string_view field) {
  for (std::size_t at = 0; at + kKeyTextBytes <= field.size(); ++at) {
    const std::string_view part = field.substr(at, kKeyTextBytes);
    for (const KnownKey& key : ring.keys())
      if (is_key(part) && equal(key.hash, hash_of(part))) return true;
  }
  return false;
}

void check_judgement(const KeyRing& ring, std::string_view field) {
  const bool known = holds_known_key(ring, field);
  for (const Scope scope : {Scope::kRead, Scope::kWrite, Scope::kAdmin}) {
    const Verdict verdict = ring.judge(field, scope);
    expect(verdict != Verdict::kMissing, "a field that is there is not missing");
    expect(known || verdict == Verdict::kUnknown, "nothing is granted without a key that is known");
  }
}

void read_as_keys(std::string_view input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const auto ring = KeyRing::parse(input.substr(std::min(end + 1, input.size())), "keys");
  if (!ring.ok()) return check_refusal({ring.status().message().data(), ring.status().message().size()});
  check_ring(*ring);
  check_judgement(*ring, input.substr(0, end));
}

}  // namespace
}  // namespace kleptometrics::aggregator::keys

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kleptometrics::aggregator::keys::read_as_keys({reinterpret_cast<const char*>(data), size});
  return 0;
}
