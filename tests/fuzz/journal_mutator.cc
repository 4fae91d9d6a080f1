// Makes journals out of journals for journal_fuzz.cc: hits either the file anywhere or one of its records or areas, and
// mostly repairs the checksums behind it, so that what was changed is read rather than refused. Linked into the target;
// libFuzzer and standalone_main.cc call it by its name and lend it LLVMFuzzerMutate.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "tests/fuzz/journal_repair.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace kleptometrics::fuzz {
namespace {

using Random = std::minstd_rand;

// Whole chances: one in `n`.
bool one_in(Random& random, unsigned n) { return random() % n == 0; }

std::vector<JournalRepair::Place> places_of(const JournalRepair& repair) {
  std::vector<JournalRepair::Place> places;
  JournalRepair::Place place;
  for (std::size_t at = journal::kHeadBytes; repair.next(at, &place); at = JournalRepair::behind(place))
    places.push_back(place);
  return places;
}

// Changes up to `length` bytes in place.
void hit(std::uint8_t* at, std::size_t length) {
  std::vector<std::uint8_t> part(at, at + length);
  const std::size_t changed = LLVMFuzzerMutate(part.data(), length, length);
  std::copy_n(part.begin(), std::min(changed, length), at);
}

// One word, where counts and numbers lie; else anything of the record, its head included.
void hit_place(std::uint8_t* data, const JournalRepair::Place& place, Random& random) {
  const std::size_t length = journal::kRecordHeadBytes + place.head.length;
  if (length < 8 || one_in(random, 3)) return hit(data + place.at, length);
  const std::size_t word = random() % (length / 8);
  hit(data + place.at + word * 8, 8);
}

// Some of the repairs are left out now and then: their absence is an input, too.
void repair_some(const JournalRepair& repair, Random& random) {
  if (!one_in(random, 8)) repair.heads();
  if (!one_in(random, 4)) repair.slots();
  if (!one_in(random, 3)) repair.counts();
  if (!one_in(random, 8)) repair.checksums();
}

std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  Random random(seed);
  const auto places = places_of({reinterpret_cast<char*>(data), size});
  if (places.empty() || one_in(random, 4)) {
    size = LLVMFuzzerMutate(data, size, size_max);
  } else {
    for (auto hits = 1 + random() % 3; hits > 0; --hits) hit_place(data, places[random() % places.size()], random);
  }
  repair_some({reinterpret_cast<char*>(data), size}, random);
  return size;
}

}  // namespace
}  // namespace kleptometrics::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  return kleptometrics::fuzz::mutate(data, size, size_max, seed);
}
