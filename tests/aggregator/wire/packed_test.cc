// Numbers by blocks: what goes in comes out, and no bytes but those that were written are taken.
#include "aggregator/wire/packed.h"

#include <bit>
#include <random>

#include "tests/aggregator/wire/golden.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::wire {
namespace {

std::string packed(const Numbers& numbers) {
  std::string bytes;
  pack(numbers, bytes);
  return bytes;
}

void require_round_trip(const Numbers& numbers) {
  Numbers back{1, 2, 3};
  REQUIRE(unpack(packed(numbers), numbers.size(), back));
  REQUIRE(back == numbers);
}

TEST_CASE("numbers of every width come back, from blocks full and not") {
  std::mt19937_64 random(11);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const std::size_t count : {0U, 1U, 2U, 15U, 16U, 17U, 32U, 33U, 256U}) {
      INFO(width << " bits, " << count << " numbers");
      Numbers numbers(count);
      for (std::uint64_t& number : numbers) number = width == 0 ? 0 : random() >> (64 - width);
      require_round_trip(numbers);
    }
  }
}

TEST_CASE("numbers of mixed widths come back") {
  std::mt19937_64 random(12);
  for (int round = 0; round < 200; ++round) {
    Numbers numbers(random() % 70);
    for (std::uint64_t& number : numbers) number = random() >> (random() % 64);
    require_round_trip(numbers);
  }
}

TEST_CASE("a block takes a byte, and for each bit of its widest number two") {
  REQUIRE(packed({}).empty());
  REQUIRE(hex_of(packed(Numbers(16, 0))) == "00");
  REQUIRE(hex_of(packed({1})) == "0101");
  REQUIRE(hex_of(packed({1, 2, 3})) == "0239");
  REQUIRE(hex_of(packed({0x1ff, 0, 1})) == "09ff010400");
  REQUIRE(packed(Numbers(16, 1000)).size() == 1 + 2 * 10);
  REQUIRE(packed(Numbers(32, ~std::uint64_t{0})).size() == 2 * (1 + 16 * 8));
  Numbers one_is_wide(32, 1);
  one_is_wide[20] = 1U << 31U;
  REQUIRE(packed(one_is_wide).size() == (1 + 2) + (1 + 2 * 32));
}

TEST_CASE("bytes that are too few, too many or too wide are refused") {
  const std::string bytes = packed({5, 70'000, 3, 9});
  Numbers numbers;
  for (std::size_t size = 0; size < bytes.size(); ++size) REQUIRE_FALSE(unpack(bytes.substr(0, size), 4, numbers));
  REQUIRE_FALSE(unpack(bytes + '\0', 4, numbers));
  REQUIRE_FALSE(unpack(bytes, 5, numbers));
  REQUIRE_FALSE(unpack(bytes, 20, numbers));
  REQUIRE_FALSE(unpack(bytes, 0, numbers));
  REQUIRE_FALSE(unpack(std::string(1, '\x41') + std::string(9, '\0'), 1, numbers));
  REQUIRE_FALSE(unpack(std::string(1, '\xff') + std::string(600, '\0'), 16, numbers));
}

TEST_CASE("what two strings share is told once, from the beginning first") {
  const auto shared = [](std::string_view a, std::string_view b, std::size_t most = 255) {
    const Shared both = shared_by(a, b, most);
    REQUIRE(both.begin + both.end <= std::min(a.size(), b.size()));
    return std::pair(both.begin, both.end);
  };
  using Pair = std::pair<std::size_t, std::size_t>;
  REQUIRE(shared("", "a") == Pair(0, 0));
  REQUIRE(shared("abc", "abc") == Pair(3, 0));
  REQUIRE(shared("aa", "a") == Pair(1, 0));
  REQUIRE(shared("worker-07.net", "worker-13.net") == Pair(7, 4));
  REQUIRE(shared("abcab", "abxab") == Pair(2, 2));
  REQUIRE(shared(std::string(9, 'a'), std::string(9, 'a'), 4) == Pair(4, 4));
}

}  // namespace
}  // namespace kleptometrics::aggregator::wire
