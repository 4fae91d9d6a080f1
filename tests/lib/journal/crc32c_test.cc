#include "lib/journal/crc32c.h"

#include <numeric>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/catch.h"

namespace kleptometrics::journal {
namespace {

std::uint32_t crc(std::string_view text) { return crc32c(0, text.data(), text.size()); }

TEST_CASE("the checksum gives the published answers") {
  REQUIRE(crc("") == 0);
  REQUIRE(crc("123456789") == 0xe3069283);
  // RFC 3720, appendix B.4
  REQUIRE(crc(std::string(32, '\0')) == 0x8a9136aa);
  REQUIRE(crc(std::string(32, '\xff')) == 0x62a8ab43);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  REQUIRE(crc(rising) == 0x46dd794e);
  REQUIRE(crc(std::string(rising.rbegin(), rising.rend())) == 0x113fdb5c);
}

TEST_CASE("processor and tables agree on every length and alignment") {
  const std::uint64_t seed = 5;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::string bytes(600, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; size + from <= bytes.size(); size += 1 + size / 40) {
      INFO("from " << from << ", " << size << " bytes");
      REQUIRE(crc32c(7, bytes.data() + from, size) == crc32c_by_tables(7, bytes.data() + from, size));
    }
  }
}

TEST_CASE("a checksum can be taken in parts") {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    REQUIRE(crc32c(crc(text.substr(0, cut)), text.data() + cut, text.size() - cut) == crc(text));
  }
}

}  // namespace
}  // namespace kleptometrics::journal
