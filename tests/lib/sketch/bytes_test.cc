// The bytes that stores keep: they are read for as long as there are stores, so files hold what was written once.
#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/lib/sketch/samples.h"
#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

using samples::kMax;
using samples::of;
using samples::random_sketch;
using samples::Sample;

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    const unsigned value = static_cast<unsigned char>(byte);
    hex += "0123456789abcdef"[value >> 4U];
    hex += "0123456789abcdef"[value & 15U];
  }
  return hex;
}

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// Hexadecimal digits, in lines.
std::string golden(const std::string& name) {
  std::ifstream in(KLEPTO_GOLDEN "/" + name + ".hex");
  REQUIRE(in.good());
  std::string hex{std::istreambuf_iterator<char>(in), {}};
  hex.erase(std::remove_if(hex.begin(), hex.end(), [](unsigned char c) { return std::isspace(c) != 0; }), hex.end());
  return hex;
}

// Refused, and empty thereafter, whatever it held.
bool refused(std::string_view bytes) {
  Sketch sketch = of({1, 2, 3});
  if (sketch.decode(bytes)) return false;
  REQUIRE(sketch == Sketch{});
  return true;
}

// Either refused, or the one form of what it is read as.
void require_one_form(const std::string& bytes) {
  Sketch sketch;
  if (!sketch.decode(bytes)) {
    REQUIRE(sketch == Sketch{});
    return;
  }
  REQUIRE(hex_of(sketch.encode()) == hex_of(bytes));
}

TEST_CASE("sketches are written as they were when their files were made") {
  for (const Sample& sample : samples::samples()) {
    INFO(sample.name);
    CHECK(hex_of(sample.sketch.encode()) == golden(sample.name));
  }
}

TEST_CASE("the bytes of the files are read as the sketches they were made of") {
  for (const Sample& sample : samples::samples()) {
    INFO(sample.name);
    Sketch sketch = of({1, 2, 3});
    REQUIRE(sketch.decode(bytes_of(golden(sample.name))));
    REQUIRE(sketch == sample.sketch);
  }
}

TEST_CASE("the form is the documented one") {
  CHECK(hex_of(Sketch{}.encode()) == "010c00");
  CHECK(hex_of(samples::coarsened({}, 10).encode()) == "010700");  // scale -4
  CHECK(hex_of(of({0, 0}).encode()) == "010c02");
  CHECK(hex_of(of({1}).encode()) == "010c000100");          // offset -1
  CHECK(hex_of(of({2}).encode()) == "010c007e00");          // offset 63
  CHECK(hex_of(of({2, 2, 2}).encode()) == "010c007e0101");  // a count of 3
  CHECK(hex_of(of({1, 2}).encode()) == "010c0001007e");     // 63 buckets are empty between the two
  CHECK(hex_of(of({2, 4, 4}).encode()) == "010c007e007f00");
  CHECK(hex_of(of({1, 3}).encode()) == "010c000100ca01");  // 101 are
}

TEST_CASE("a bucket of one value takes a byte where fewer than 64 are empty before it") {
  Sketch sketch;
  for (int bucket = 0; bucket < 150 * 20; bucket += 20) sketch.add_bucket(bucket, 1);
  REQUIRE(sketch.encode().size() == 4 + 150);
}

TEST_CASE("bytes can be written behind others") {
  std::string bytes = "before";
  of({1}).encode_to(bytes);
  REQUIRE(bytes == "before" + of({1}).encode());
}

TEST_CASE("random sketches of every scale come back as they went") {
  const std::uint64_t seed = 31;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 500; ++i) {
    Sketch sketch = samples::coarsened(random_sketch(random, random() % 400U), static_cast<int>(random() % 11U));
    if (random() % 2U == 0) sketch.add_bucket(static_cast<int>(random() % 100U), random() >> (random() % 64U));
    Sketch back;
    REQUIRE(back.decode(sketch.encode()));
    REQUIRE(back == sketch);
  }
}

TEST_CASE("merging in any order and grouping gives identical bytes") {
  const std::uint64_t seed = 37;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<Sketch> parts;
  for (int i = 0; i < 30; ++i) parts.push_back(random_sketch(random, random() % 300U));
  for (std::size_t i = 0; i < 5; ++i) parts[i * 6].coarsen();
  Sketch forward;
  for (const Sketch& part : parts) forward.merge(part);
  for (int shuffle = 0; shuffle < 20; ++shuffle) {
    std::shuffle(parts.begin(), parts.end(), random);
    std::vector<Sketch> groups(1 + random() % 5U);
    for (const Sketch& part : parts) groups[random() % groups.size()].merge(part);
    Sketch sum;
    for (const Sketch& group : groups) sum.merge(group);
    REQUIRE(sum.encode() == forward.encode());
  }
}

TEST_CASE("bytes cut off are refused, or those of a sketch that holds less") {
  for (const Sample& sample : samples::samples()) {
    INFO(sample.name);
    const std::string bytes = sample.sketch.encode();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      require_one_form(bytes.substr(0, size));
      Sketch less;
      if (less.decode(std::string_view(bytes).substr(0, size))) {
        REQUIRE(less.counts().size() < sample.sketch.counts().size());
      }
    }
  }
}

TEST_CASE("no flipped bit is read as what does not have these bytes") {
  for (const Sample& sample : samples::samples()) {
    INFO(sample.name);
    const std::string bytes = sample.sketch.encode();
    for (std::size_t bit = 0; bit < std::min<std::size_t>(8 * bytes.size(), 4000); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ static_cast<char>(1U << (bit % 8)));
      require_one_form(flipped);
    }
  }
}

TEST_CASE("random bytes are refused or have one form") {
  const std::uint64_t seed = 41;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = random() % 2U == 0 ? std::string("\x01\x0c\x00", 3) : std::string();
    for (std::uint64_t left = random() % 30U; left > 0; --left) bytes += static_cast<char>(random() & random());
    require_one_form(bytes);
  }
}

TEST_CASE("what no sketch is written as is refused") {
  for (const char* hex : {
           "",                                // nothing
           "000c00",                          // another version
           "020c00",                          //
           "01",                              // no scale
           "010c",                            // no count of zeros
           "010e00",                          // scale 7
           "010900",                          // scale -5
           "018c0000",                        // scale 6 in two bytes
           "010c8000",                        // no zeros, in two bytes
           "010c80",                          // a number that does not end
           "010cffffffffffffffffff02",        // more than 64 bits
           "010cffffffffffffffffffff01",      // eleven bytes
           "010c0000",                        // offset, but no counts
           "010c000300",                      // offset -2
           "010c00804000",                    // offset 4096
           "010c000002",                      // a gap before the first bucket
           "010c000001",                      // a count that is missing
           "010c00000100ff",                  // a token that does not end
           "010c0000018000",                  // a count in two bytes
           "010c000001feffffffffffffffff01",  // a count of 2^64
           "010c0000008040",                  // a bucket beyond the last
           "010c00fe3f00feffffffffffffffff01",
           "01000000fe00",  // beyond the last of scale 0
       }) {
    INFO(hex);
    CHECK(refused(bytes_of(hex)));
  }
}

TEST_CASE("the last bucket of each scale is taken, the one behind it is not") {
  for (int scale = Sketch::kScale; scale >= Sketch::kScaleMin; --scale) {
    const int last = Sketch::kBucketMax >> (Sketch::kScale - scale);
    const int coarser = Sketch::kScale - scale;
    Sketch sketch = samples::coarsened({}, coarser);
    sketch.add_bucket(last - 1, 1);
    std::string bytes = sketch.encode();
    Sketch back;
    bytes += '\0';  // the bucket behind it, once
    REQUIRE(back.decode(bytes));
    REQUIRE(back.counts().size() == 2);
    bytes += '\0';
    REQUIRE(refused(bytes));
  }
}

TEST_CASE("counts of every size come back") {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t count : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) + 1, kMax >> bits}) {
      Sketch sketch;
      sketch.add_bucket(7, count);
      Sketch back;
      REQUIRE(back.decode(sketch.encode()));
      REQUIRE(back == sketch);
    }
  }
}

}  // namespace
}  // namespace kleptometrics
