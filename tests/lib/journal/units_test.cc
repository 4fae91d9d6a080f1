#include "lib/journal/units.h"

#include <random>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::journal {
namespace {

// The same, unit by unit.
struct Model {
  std::vector<bool> free;

  bool fits(std::size_t first, std::size_t count) const {
    if (first + count > free.size()) return false;
    for (std::size_t i = first; i < first + count; ++i) {
      if (!free[i]) return false;
    }
    return true;
  }
  std::size_t find(std::size_t from, std::size_t count) const {
    for (std::size_t i = from; i < free.size(); ++i) {
      if (fits(i, count)) return i;
    }
    for (std::size_t i = 0; i < from; ++i) {
      if (fits(i, count)) return i;
    }
    return UnitMap::kNone;
  }
  bool fits_around(std::size_t first, std::size_t freed, std::size_t count) const {
    for (std::size_t i = first + freed; i-- > 0 && i + count > first;) {
      if (fits(i, count)) return true;
    }
    return false;
  }
};

TEST_CASE("a new map is all free") {
  for (const std::size_t size : {1U, 63U, 64U, 65U, 960U}) {
    const UnitMap map(size);
    REQUIRE(map.free_count() == size);
    REQUIRE(map.find(0, size) == 0);
    REQUIRE(map.find(0, size + 1) == UnitMap::kNone);
  }
}

TEST_CASE("a place beyond the end is looked for from the start") {
  UnitMap map(100);
  REQUIRE(map.find(98, 2) == 98);
  REQUIRE(map.find(98, 3) == 0);
  map.take(0, 10);
  REQUIRE(map.find(98, 3) == 10);
  map.take(10, 88);
  REQUIRE(map.find(99, 2) == 98);
}

TEST_CASE("a random map finds what a unit-by-unit search finds") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const std::size_t size = 1 + random() % 300U;
    UnitMap map(size);
    Model model{std::vector<bool>(size, true)};
    for (int step = 0; step < 500; ++step) {
      const std::size_t first = random() % size;
      const std::size_t count = 1 + random() % (1 + random() % 80U);
      const std::size_t found = map.find(first, count);
      REQUIRE(found == model.find(first, count));
      if (found != UnitMap::kNone && random() % 4U != 0) {
        map.take(found, count);
        std::fill_n(model.free.begin() + static_cast<std::ptrdiff_t>(found), count, false);
      }
      // Free some units that are taken, and see whether they make room.
      std::size_t freed = 0;
      while (freed < 1 + random() % 5U && first + freed < size && !model.free[first + freed]) ++freed;
      if (freed == 0) continue;
      map.release(first, freed);
      std::fill_n(model.free.begin() + static_cast<std::ptrdiff_t>(first), freed, true);
      const std::size_t around = map.find_around(first, freed, count);
      REQUIRE((around != UnitMap::kNone) == model.fits_around(first, freed, count));
      if (around != UnitMap::kNone) REQUIRE(model.fits(around, count));
      if (around != UnitMap::kNone) REQUIRE(around < first + freed);
      if (around != UnitMap::kNone) REQUIRE(around + count > first);
    }
    for (std::size_t i = 0; i < size; ++i) REQUIRE(map.is_free(i) == model.free[i]);
  }
}

}  // namespace
}  // namespace kleptometrics::journal
