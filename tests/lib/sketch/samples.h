// Sketches for the tests of this folder: the same every time, on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "lib/sketch/sketch.h"

namespace kleptometrics::samples {

inline constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

inline Sketch of(std::initializer_list<std::uint64_t> values) {
  Sketch sketch;
  for (const std::uint64_t value : values) sketch.add(value);
  return sketch;
}

// Values of all sizes that 64 bits have.
inline Sketch random_sketch(std::mt19937_64& random, std::size_t size) {
  Sketch sketch;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t value = random() >> (random() % 64U);
    sketch.add(value, 1 + random() % 3U);
  }
  return sketch;
}

struct Sample {
  std::string name;
  Sketch sketch;
};

inline Sketch coarsened(Sketch sketch, int times) {
  for (int i = 0; i < times; ++i) sketch.coarsen();
  return sketch;
}

// One of each kind. Their bytes lie beside the tests under golden/, by name: a name never gets other bytes.
inline std::vector<Sample> samples() {
  std::mt19937_64 random(20261125);
  Sketch held = of({9});
  held.add(9, kMax);
  held.add_zero(kMax);
  Sketch minutes;
  for (std::uint64_t i = 0; i < 100; ++i) minutes.add(61'000'000'000 + i * i * 7'000'000);
  Sketch all;
  for (int bucket = Sketch::kBucketMin; bucket <= Sketch::kBucketMax; ++bucket) all.add_bucket(bucket, 1);
  const Sketch many = random_sketch(random, 3000);
  return {{"empty", {}},
          {"empty_coarse", coarsened({}, 10)},
          {"one", of({5'000'000'000})},
          {"two", of({1'000, 2'000'000})},
          {"repeated", of({77, 77, 77, 77})},
          {"zeros", of({0, 0, 0})},
          {"ends", of({0, 1, kMax})},
          {"held", held},
          {"minutes", minutes},
          {"every_bucket", all},
          {"many", many},
          {"many_coarse", coarsened(many, 3)},
          {"many_coarsest", coarsened(many, 10)}};
}

}  // namespace kleptometrics::samples
