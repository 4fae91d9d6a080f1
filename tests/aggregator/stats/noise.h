// Durations as histories have them: a level that changes at some points, in log-normal noise.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace kleptometrics::fakes {

struct Level {
  std::size_t until = 0;  // index of the first value that is no longer at it
  double median = 1;
};

// Box-Muller over the generator's own bits: a seed gives the same values with every standard library.
inline std::vector<double> noisy(const std::vector<Level>& levels, double sigma, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto uniform = [&random] { return (static_cast<double>(random() >> 11U) + 0.5) * 0x1p-53; };
  std::vector<double> values;
  for (const Level& level : levels) {
    while (values.size() < level.until) {
      const double radius = std::sqrt(-2 * std::log(uniform()));
      const double angle = 6.283185307179586 * uniform();
      values.push_back(level.median * std::exp(sigma * radius * std::cos(angle)));
    }
  }
  return values;
}

}  // namespace kleptometrics::fakes
