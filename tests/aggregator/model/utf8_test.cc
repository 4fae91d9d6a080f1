#include "aggregator/model/utf8.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::aggregator {
namespace {

using namespace std::string_literals;

// Appends the code point in its only right form, without asking whether it may stand in a text.
std::string encoded(std::uint32_t point) {
  const auto tail = [point](unsigned shift) { return static_cast<char>(0x80U | ((point >> shift) & 0x3fU)); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xc0U | (point >> 6U)), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xe0U | (point >> 12U)), tail(6), tail(0)};
  return {static_cast<char>(0xf0U | (point >> 18U)), tail(12), tail(6), tail(0)};
}

TEST_CASE("every code point but the surrogates is UTF-8, and nothing above them") {
  for (std::uint32_t point = 0; point < 0x1fffff; ++point) {
    const bool scalar = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    if (valid_utf8(encoded(point)) != scalar) FAIL("code point " << point);
  }
}

TEST_CASE("overlong, cut and stray bytes are not UTF-8") {
  for (const std::string& text :
       {"\x80"s, "\xbf"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x80\x80"s, "\xe0\x9f\xbf"s, "\xf0\x80\x80\x80"s,
        "\xf0\x8f\xbf\xbf"s, "\xc3"s, "\xe2\x82"s, "\xf0\x9f\x8c"s, "\xc3("s, "\xe2(\xa1"s, "\xe2\x82("s, "\xff"s,
        "\xf5\x80\x80\x80"s, "ok\xc3\xa4\xc3"s}) {
    CAPTURE(quoted(text));
    REQUIRE_FALSE(valid_utf8(text));
  }
  REQUIRE(valid_utf8(""));
  REQUIRE(valid_utf8("a\0b"s));
}

TEST_CASE("control characters are found wherever they are") {
  REQUIRE(has_control("a\nb"));
  REQUIRE(has_control("\0"s));
  REQUIRE(has_control("a\x7f"));
  REQUIRE_FALSE(has_control("größe 🌍"));
}

TEST_CASE("a quoted text is printable, short and UTF-8, whatever it quotes") {
  REQUIRE(quoted("größe") == "`größe`");
  REQUIRE(quoted("a\nb\0"s) == "`a\\x0ab\\x00`");
  REQUIRE(quoted("gr\xf6\xdf"
                 "e") == "`gr\\xf6\\xdfe`");
  for (const std::string& text : {std::string(1000, '\xc3'), std::string(1000, 'x'), std::string(59, 'x') + "ä…"}) {
    const std::string shown = quoted(text);
    REQUIRE(valid_utf8(shown));
    REQUIRE_FALSE(has_control(shown));
    REQUIRE(shown.size() <= 250);
  }
}

}  // namespace
}  // namespace kleptometrics::aggregator
