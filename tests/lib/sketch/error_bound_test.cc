// The documented error, asserted on seeded data of several shapes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lib/sketch/sketch.h"
#include "tests/support/catch.h"

namespace kleptometrics {
namespace {

using Draw = std::function<std::uint64_t(std::mt19937_64&)>;

struct Shape {
  std::string name;
  Draw draw;
};

std::uint64_t nanos(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

std::vector<Shape> shapes() {
  return {
      {"log-normal around a minute",
       [](std::mt19937_64& r) { return nanos(std::lognormal_distribution<double>(4, 1.5)(r)); }},
      {"uniform below a second",
       [](std::mt19937_64& r) { return std::uniform_int_distribution<std::uint64_t>(1, 1'000'000'000)(r); }},
      {"uniform over all 64 bits",
       [](std::mt19937_64& r) { return std::uniform_int_distribution<std::uint64_t>()(r); }},
      {"constant", [](std::mt19937_64&) { return std::uint64_t{123'456'789}; }},
      {"two humps a thousandfold apart",
       [](std::mt19937_64& r) {
         return nanos(r() % 2U == 0 ? std::normal_distribution<double>(1, 0.01)(r)
                                    : std::normal_distribution<double>(1000, 10)(r));
       }},
      {"small whole numbers, many zeros", [](std::mt19937_64& r) { return r() % 5U; }},
  };
}

double exact_quantile(const std::vector<std::uint64_t>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

TEST_CASE("the documented error is 0.55 %, and half the width of a bucket is within it") {
  REQUIRE(Sketch::kRelativeError == 0.0055);
  const double base = std::exp2(1.0 / Sketch::kBucketsPerOctave);
  REQUIRE((base - 1) / (base + 1) <= Sketch::kRelativeError);
  REQUIRE((base - 1) / (base + 1) > Sketch::kRelativeError - 0.0001);
}

TEST_CASE("no quantile is off by more than the documented relative error") {
  for (const Shape& shape : shapes()) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      std::mt19937_64 random(seed);
      Sketch sketch;
      std::vector<std::uint64_t> values(3001);
      for (auto& value : values) sketch.add(value = shape.draw(random));
      std::sort(values.begin(), values.end());
      for (const double q : {0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0}) {
        const double exact = exact_quantile(values, q);
        INFO(shape.name << ", seed " << seed << ", q " << q << ", exact " << exact << ", sketch "
                        << sketch.quantile(q));
        REQUIRE(std::abs(sketch.quantile(q) - exact) <= exact * Sketch::kRelativeError);
      }
    }
  }
}

}  // namespace
}  // namespace kleptometrics
