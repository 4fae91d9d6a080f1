#include "lib/journal/index.h"

#include <map>
#include <random>

#include "tests/support/catch.h"

namespace kleptometrics::journal {
namespace {

constexpr std::size_t kLiveMax = 200;

// The index against a std::map, over enough pushes to compact it many times.
struct Walk {
  explicit Walk(std::uint64_t seed) : random(seed) {}

  void push() {
    IndexEntry entry;
    entry.sequence = ++last;
    entry.unit = static_cast<std::uint32_t>(random());
    entry.terminal = random() % 2U == 0;
    index.push(entry);
    model[last] = entry;
  }

  void change() {
    if (model.empty()) return;
    const auto at = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
    IndexEntry* entry = index.find(at->first);
    REQUIRE(entry != nullptr);
    const bool gone = random() % 3U != 0;
    index.set(*entry, gone ? RecordState::kGone : RecordState::kDelivered);
    at->second.state = RecordState::kDelivered;
    if (gone) model.erase(at);
  }

  void compare() {
    std::size_t pending = 0;
    std::uint64_t first_progress = last + 1;
    for (const auto& [sequence, expected] : model) {
      const IndexEntry* entry = index.find(sequence);
      REQUIRE(entry != nullptr);
      REQUIRE(entry->unit == expected.unit);
      REQUIRE(entry->state == expected.state);
      if (expected.state == RecordState::kPending) ++pending;
      if (expected.is_progress()) first_progress = std::min(first_progress, sequence);
    }
    REQUIRE(index.live_count() == model.size());
    REQUIRE(index.pending_count() == pending);
    REQUIRE(index.delivered_count() == model.size() - pending);
    const std::size_t position = index.first_progress();
    REQUIRE((position == index.size() ? last + 1 : index.at(position).sequence) == first_progress);
    REQUIRE(index.find(0) == nullptr);
    REQUIRE(index.find(last + 1) == nullptr);
  }

  void look_after_any() {
    const std::uint64_t sequence = random() % (last + 3);
    const std::size_t position = index.position_after(sequence);
    if (position > 0) REQUIRE(index.at(position - 1).sequence <= sequence);
    if (position < index.size()) REQUIRE(index.at(position).sequence > sequence);
  }

  std::mt19937_64 random;
  RecordIndex index{kLiveMax};
  std::map<std::uint64_t, IndexEntry> model;
  std::uint64_t last = 0;
};

TEST_CASE("the index follows a map through a random walk") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    Walk walk(seed);
    for (int step = 0; step < 5000; ++step) {
      if (walk.model.size() < kLiveMax && walk.random() % 2U == 0) walk.push();
      if (walk.random() % 2U == 0) walk.change();
      walk.look_after_any();
      if (step % 50 == 0) walk.compare();
    }
    walk.compare();
    REQUIRE(walk.index.size() <= 2 * kLiveMax + 100);
  }
}

}  // namespace
}  // namespace kleptometrics::journal
