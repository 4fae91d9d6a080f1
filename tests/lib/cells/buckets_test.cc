#include "lib/cells/buckets.h"

#include <random>
#include <vector>

#include "tests/support/catch.h"

namespace kleptometrics::cells {
namespace {

using Words = std::vector<std::atomic<std::uint64_t>>;

// How many values a table holds, all of them in `sketch`; nullopt if it is damaged.
std::optional<std::uint64_t> read(const Buckets& buckets, Sketch* sketch) {
  const auto hits = buckets.read();
  if (!hits) return std::nullopt;
  add(*hits, sketch);
  return sum_of(*hits);
}

Buckets over(Words& words) { return {words.data(), words.size()}; }

bool hit(const Buckets& buckets, std::uint64_t duration) {
  const std::uint64_t key = Buckets::key_of(duration);
  return buckets.hit_at_home(key) || buckets.hit(key, true) != Buckets::Hit::kNoRoom;
}

TEST_CASE("a table holds what a sketch holds") {
  Words words(Buckets::kWordsMax);
  const Buckets buckets = over(words);
  Sketch truth;
  std::mt19937_64 random(20261125);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t duration = random() >> random() % 64;
    REQUIRE(hit(buckets, duration));
    truth.add(duration);
  }
  Sketch found;
  CHECK(read(buckets, &found) == 20'000U);
  CHECK(found == truth);
}

TEST_CASE("the largest table holds every bucket there is") {
  Words words(Buckets::kWordsMax);
  const Buckets buckets = over(words);
  CHECK(buckets.hit(0, true) == Buckets::Hit::kNew);
  for (std::uint64_t key = 1; key <= Sketch::kBucketCountMax; ++key)
    REQUIRE(buckets.hit(key, true) == Buckets::Hit::kNew);
  CHECK(Sketch::kBucketCountMax + 1 <= buckets.room());
  Sketch found;
  CHECK(read(buckets, &found) == Sketch::kBucketCountMax + 1);
}

TEST_CASE("a table without room says so and stays as it is, and its copy in a larger one goes on") {
  Words words(Buckets::kWordsMin);
  Words more(2 * Buckets::kWordsMin);
  const Buckets small = over(words);
  const Buckets large = over(more);
  for (std::uint64_t key = 0; key < small.room(); ++key) CHECK(small.hit(36 * key, true) == Buckets::Hit::kNew);
  CHECK(small.hit(36 * small.room(), false) == Buckets::Hit::kNoRoom);
  CHECK(small.hit(0, false) == Buckets::Hit::kKnown);
  large.copy(small);
  CHECK(large.hit(36 * small.room(), true) == Buckets::Hit::kNew);
  Sketch from_small;
  Sketch from_large;
  CHECK(read(small, &from_small) == small.room() + 1);
  CHECK(read(large, &from_large) == small.room() + 2);
}

TEST_CASE("what came too late is taken out again, first beyond the ends and then in proportion") {
  std::vector<Buckets::Hits> hits;
  for (const std::uint64_t duration : {10U, 100U, 1'000U, 10'000U}) hits.push_back({Buckets::key_of(duration), 100});
  even_out(hits, 150, 100, 1'000);
  CHECK(sum_of(hits) == 250);
  CHECK(hits[0].times + hits[3].times == 50);
  even_out(hits, 100, 100, 1'000);
  CHECK(hits[0].times + hits[3].times == 0);
  CHECK(hits[1].times + hits[2].times == 150);
  CHECK(std::max(hits[1].times, hits[2].times) - std::min(hits[1].times, hits[2].times) <= 10);
  even_out(hits, 1'000, 100, 1'000);
  CHECK(sum_of(hits) == 0);
}

TEST_CASE("there may be no table at all") {
  Sketch found;
  CHECK(read(Buckets(), &found) == 0U);
  CHECK_FALSE(Buckets().hit_at_home(3));
  CHECK(Buckets().hit(3, true) == Buckets::Hit::kNoRoom);
}

TEST_CASE("a flipped bit is found in the key, or in the sum of the counts") {
  Words words(Buckets::kWordsMin);
  const Buckets buckets = over(words);
  for (const std::uint64_t duration : {0U, 1U, 20U, 20U, 5'000'000U}) hit(buckets, duration);
  for (auto& word : words)
    for (unsigned bit = 0; bit < 64; ++bit) {
      const std::uint64_t whole = word.load();
      if (whole == 0) continue;
      word.store(whole ^ (std::uint64_t{1} << bit));
      Sketch found;
      const auto count = read(buckets, &found);
      CHECK((!count || *count != 5));
      word.store(whole);
    }
}

}  // namespace
}  // namespace kleptometrics::cells
