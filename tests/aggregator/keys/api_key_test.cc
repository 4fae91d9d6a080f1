#include "aggregator/keys/api_key.h"

#include <set>
#include <string>

#include "aggregator/keys/scope.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::keys {
namespace {

TEST_CASE("a key is 32 bytes as digits behind a prefix, and never the same twice") {
  std::set<std::string> made;
  for (int i = 0; i < 1000; ++i) {
    const auto key = make_key();
    REQUIRE(key);
    REQUIRE(is_key(*key));
    made.insert(*key);
  }
  CHECK(made.size() == 1000);
  CHECK(made.begin()->size() == 71);
}

TEST_CASE("what is shorter, longer, empty or of other characters is no key") {
  const std::string digits(64, 'a');
  CHECK(is_key("klepto_" + digits));
  for (const std::string& text :
       {std::string(), std::string("klepto_"), "klepto_" + digits.substr(1), "klepto_" + digits + "a", digits,
        "Klepto_" + digits, "klepto_" + std::string(64, 'g'), "klepto_" + std::string(64, 'A'),
        " klepto_" + digits.substr(1), "klepto_" + digits.substr(1) + std::string(1, '\0')}) {
    CAPTURE(text);
    CHECK_FALSE(is_key(text));
  }
}

// FIPS 180-4, the examples for SHA-256.
TEST_CASE("a hash is SHA-256, and its digits are read in either case") {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(hex_of(hash_of("abc")) == abc);
  const auto read = parse_hash("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
  REQUIRE(read);
  CHECK(equal(*read, hash_of("abc")));
  CHECK_FALSE(equal(*read, hash_of("abd")));
  CHECK_FALSE(parse_hash(abc.substr(1)));
  CHECK_FALSE(parse_hash(abc + "0"));
  CHECK_FALSE(parse_hash("x" + abc.substr(1)));
  CHECK_FALSE(parse_hash(""));
}

TEST_CASE("scopes include those below, and only those") {
  const Scope rising[] = {Scope::kNone, Scope::kRead, Scope::kWrite, Scope::kAdmin};
  for (const Scope has : rising) {
    for (const Scope wanted : rising)
      CHECK(includes(has, wanted) == (static_cast<int>(has) >= static_cast<int>(wanted)));
  }
  CHECK(parse_scope("read") == Scope::kRead);
  CHECK(parse_scope("write") == Scope::kWrite);
  CHECK(parse_scope("admin") == Scope::kAdmin);
  for (const char* none : {"", "none", "Read", "reads", "all"}) CHECK_FALSE(parse_scope(none));
}

}  // namespace
}  // namespace kleptometrics::aggregator::keys
