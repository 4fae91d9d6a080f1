#include "aggregator/keys/key_ring.h"

#include <string>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator::keys {
namespace {

std::string key_of(char digit) { return "klepto_" + std::string(64, digit); }
std::string hash_text(char digit) { return hex_of(hash_of(key_of(digit))); }

// `ok`, or what is said of the text.
std::string fault(const std::string& text) {
  const auto ring = KeyRing::parse(text, "keys");
  return ring.ok() ? "ok" : std::string(ring.status().message());
}

KeyRing three() {
  return *KeyRing::parse(
      "reader read " + hash_text('a') + "\nwriter write " + hash_text('b') + "\nboss admin " + hash_text('c') + "\n",
      "keys");
}

TEST_CASE("keys are read a line each, between comments and blanks") {
  const auto ring = KeyRing::parse(
      "# who may\n\n \t\n  ci.nightly-2\t write  " + hash_text('a') + "  # since May\r\nb read " + hash_text('b'),
      "keys");
  REQUIRE(ring.ok());
  REQUIRE(ring->keys().size() == 2);
  CHECK(ring->keys()[0].name == "ci.nightly-2");
  CHECK(ring->keys()[0].scope == Scope::kWrite);
  CHECK(line_of(ring->keys()[1]) == "b read " + hash_text('b'));
}

TEST_CASE("every line that cannot be meant is refused by its number, without repeating what may be a key") {
  const std::string good = "a read " + hash_text('a') + "\n";
  CHECK(fault("") == "keys: no key is in it");
  CHECK(fault("# nothing\n\n") == "keys: no key is in it");
  CHECK(fault(good + "b\n").find("keys:2: the scope") == 0);
  CHECK(fault(good + "\nb read\n").find("keys:3: the hash is missing") == 0);
  CHECK(fault(good + "b read abc\n").find("keys:2: the hash must be 64") == 0);
  CHECK(fault(good + "b read " + hash_text('b') + "0\n").find("keys:2: the hash must be 64") == 0);
  CHECK(fault(good + "b all " + hash_text('b') + "\n").find("keys:2: the scope") == 0);
  CHECK(fault(good + "-b read " + hash_text('b') + "\n").find("keys:2: a name has") == 0);
  CHECK(fault(good + std::string(65, 'b') + " read " + hash_text('b') + "\n").find("keys:2: a name has") == 0);
  CHECK(fault(good + "b read " + hash_text('b') + " more\n").find("keys:2: something follows") == 0);
  CHECK(fault(good + "a read " + hash_text('b') + "\n").find("keys:2: a key of this name") == 0);
  CHECK(fault(good + "b admin " + hash_text('a') + "\n").find("keys:2: this key is there already") == 0);
  CHECK(fault(good + "b read " + hex_of(hash_of("")) + "\n").find("keys:2: the hash is that of an empty key") == 0);
  const std::string bare = fault(good + "b read " + key_of('b') + "\n");
  CHECK(bare.find("keys:2: this is a key") == 0);
  CHECK(bare.find(key_of('b')) == bare.npos);
}

TEST_CASE("a key opens what its scope includes") {
  const KeyRing ring = three();
  const Scope scopes[] = {Scope::kRead, Scope::kWrite, Scope::kAdmin};
  for (int has = 0; has < 3; ++has) {
    const std::string field = "Bearer " + key_of(static_cast<char>('a' + has));
    for (int wanted = 0; wanted < 3; ++wanted)
      CHECK(ring.judge(field, scopes[wanted]) == (has >= wanted ? Verdict::kGranted : Verdict::kForbidden));
  }
}

TEST_CASE("what needs no key is granted to everybody") {
  const KeyRing ring = three();
  CHECK(ring.judge(std::nullopt, Scope::kNone) == Verdict::kGranted);
  CHECK(ring.judge("nonsense", Scope::kNone) == Verdict::kGranted);
}

TEST_CASE("the scheme is read in any case, and one key behind it") {
  const KeyRing ring = three();
  for (const std::string& field : {"bearer " + key_of('a'), "BEARER   " + key_of('a'), "Bearer\t" + key_of('a') + " "})
    CHECK(ring.judge(field, Scope::kRead) == Verdict::kGranted);
}

TEST_CASE("missing, empty, short, wrong and doubled keys are told from none that is known") {
  const KeyRing ring = three();
  CHECK(ring.judge(std::nullopt, Scope::kRead) == Verdict::kMissing);
  for (const std::string& field :
       {std::string(), std::string("Bearer"), std::string("Bearer "), "Bearer " + key_of('d'),
        "Bearer " + key_of('a').substr(1), "Bearer " + key_of('a') + "a", "Bearer " + key_of('a').substr(0, 70),
        std::string("Bearer klepto_"), key_of('a'), "Basic " + key_of('a'), "Bearers " + key_of('a'),
        "Bearer " + key_of('a') + " " + key_of('b'), "Bearer " + hash_text('a'), "Bearer \"" + key_of('a') + "\"",
        "Bearer" + key_of('a'), std::string("Bearer \0", 8)}) {
    CAPTURE(field);
    CHECK(ring.judge(field, Scope::kRead) == Verdict::kUnknown);
  }
}

TEST_CASE("as many keys as are allowed are read, and one more is refused") {
  std::string text;
  for (std::size_t i = 0; i < kKeysMax; ++i)
    text += "k" + std::to_string(i) + " read " + hex_of(hash_of(std::to_string(i))) + "\n";
  CHECK(fault(text) == "ok");
  CHECK(fault(text + "more read " + hash_text('a')).find("more than 1000 keys") != std::string::npos);
}

}  // namespace
}  // namespace kleptometrics::aggregator::keys
