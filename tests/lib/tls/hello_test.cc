#include "lib/tls/hello.h"

#include <string>

#include "tests/support/catch.h"

using kleptometrics::tls::Hello;
using kleptometrics::tls::judge_hello;

namespace {

// Headers of a record with so many bytes, and of a message in it.
std::string hello(unsigned record, unsigned message, char kind = 1) {
  const auto byte = [](unsigned value) { return static_cast<char>(value & 255U); };
  return {'\x16',       3, 1, byte(record >> 8U), byte(record), kind, byte(message >> 16U), byte(message >> 8U),
          byte(message)};
}

}  // namespace

TEST_CASE("The beginning of a greeting is told from plain HTTP and from garbage") {
  CHECK(judge_hello(hello(517, 513)) == Hello::kGood);
  CHECK(judge_hello("GET / HTT") == Hello::kPlain);
  CHECK(judge_hello("get") == Hello::kPlain);
  for (const std::string& bytes :
       {std::string(), std::string(9, '\0'), std::string("\x16\x02\x01") + hello(517, 513).substr(3),
        std::string("\x17") + hello(517, 513).substr(1), hello(517, 513, 2), hello(517, 513).substr(0, 8)})
    CHECK(judge_hello(bytes) == Hello::kBad);
}

TEST_CASE("A greeting that announces more than is sensible, or comes in crumbs, is none") {
  CHECK(judge_hello(hello(517, 16U << 10U)) == Hello::kGood);
  CHECK(judge_hello(hello(517, (16U << 10U) + 1)) == Hello::kBad);
  CHECK(judge_hello(hello(517, 0xffffff)) == Hello::kBad);
  CHECK(judge_hello(hello(38, 34)) == Hello::kGood);
  CHECK(judge_hello(hello(37, 34)) == Hello::kBad);
}
