#include "lib/cells/sealed.h"

#include <random>

#include "tests/support/catch.h"

namespace kleptometrics::cells {
namespace {

TEST_CASE("what was sealed opens as it was") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{12345}, Sealed::kValueMax})
    for (const std::uint64_t marks : {std::uint64_t{0}, Sealed::kFirstMark, Sealed::kSecondMark}) {
      const auto opened = Sealed::open(Sealed::seal(value, marks));
      REQUIRE(opened.has_value());
      CHECK(opened->value == value);
      CHECK(opened->first == (marks == Sealed::kFirstMark));
      CHECK(opened->second == (marks == Sealed::kSecondMark));
    }
}

TEST_CASE("no single flipped bit passes, nor does a word that was never sealed") {
  CHECK_FALSE(Sealed::open(0).has_value());
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t word = Sealed::seal(random() >> (9 + random() % 55), random() % 4 * Sealed::kFirstMark);
    for (unsigned bit = 0; bit < 64; ++bit)
      if (Sealed::open(word ^ (std::uint64_t{1} << bit))) FAIL("bit " << bit << " of " << word);
  }
}

}  // namespace
}  // namespace kleptometrics::cells
