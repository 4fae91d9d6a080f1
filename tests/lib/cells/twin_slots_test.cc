#include "lib/cells/twin_slots.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "tests/support/catch.h"

namespace kleptometrics::cells {
namespace {

using Slots = TwinSlots<3>;

TEST_CASE("slots never written are version 0, all zeros") {
  const auto slots = std::make_unique<Slots>();
  const auto read = slots->read();
  REQUIRE(read.has_value());
  CHECK(read->version == 0);
  CHECK(read->words == Slots::Words{});
}

TEST_CASE("the newest version is read") {
  const auto slots = std::make_unique<Slots>();
  slots->write(1, {1, 2, 3});
  slots->write(2, {4, 5, 6});
  const auto second = slots->read();
  REQUIRE(second.has_value());
  CHECK(second->version == 2);
  CHECK(second->words == Slots::Words{4, 5, 6});
}

TEST_CASE("no flipped bit passes for what was written") {
  const auto slots = std::make_unique<Slots>();
  slots->write(1, {1, 2, 3});
  slots->write(2, {40, 50, 60});
  const auto truth = slots->read()->words;
  for (std::size_t bit = 0; bit < sizeof(Slots) * 8; ++bit) {
    const auto copy = std::make_unique<Slots>();
    std::memcpy(static_cast<void*>(copy.get()), slots.get(), sizeof(Slots));
    reinterpret_cast<unsigned char*>(copy.get())[bit / 8] ^= static_cast<unsigned char>(1U << (bit % 8));
    const auto read = copy->read();
    // A flip of the version may lead back to the slot before, or to one whose check is of another version.
    if (read) CHECK((read->words == truth || read->version == 0));
  }
}

TEST_CASE("readers see whole versions while the writer goes on") {
  const auto slots = std::make_unique<Slots>();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= 200'000; ++i) slots->write(i, {i, i * 3, ~i});
    done = true;
  });
  bool whole = true;
  std::uint64_t last = 0;
  while (!done) {
    const auto read = slots->read();
    if (!read || read->version == 0) continue;
    const auto& [a, b, c] = read->words;
    whole = whole && a == read->version && b == a * 3 && c == ~a && read->version >= last;
    last = read->version;
  }
  writer.join();
  CHECK(whole);
  CHECK(slots->read()->version == 200'000);
}

}  // namespace
}  // namespace kleptometrics::cells
