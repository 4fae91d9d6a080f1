// How what a run adds up lies in its program's journal: one area for each cell of a step, one for the table of its
// buckets, one for each counter, and one for the progress. The fixed part of an area says what it is and whose;
// the open part is one of the structs below, written in place by the program for as long as the run is open. Client
// library and aggregator share this. No pointers, sizes of their own: it is read by other programs, of the same byte
// order.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/uuid.h"
#include "lib/cells/buckets.h"
#include "lib/cells/sealed.h"
#include "lib/cells/step_totals.h"
#include "lib/cells/twin_slots.h"
#include "lib/journal/journal.h"

namespace kleptometrics::cells {

enum class AreaKind : std::uint8_t { kStepCell = 1, kTable = 2, kCounter = 3, kProgress = 4 };

// The fixed part.
struct AreaName {
  AreaKind kind = AreaKind::kStepCell;
  std::uint32_t table = 0;  // of kTable: its number within the cell, from 1
  std::uint64_t cell = 0;   // of kStepCell and kTable: which belong together. Rises with every cell of a program
  Uuid run;
  std::string_view name;  // path of the step, or name of the counter

  std::string encode() const;
  // Borrows the name from `fixed`. Nullopt for what is none of ours.
  static std::optional<AreaName> parse(std::string_view fixed) noexcept;
};

// The open part of a cell. An execution is put among the recent ones, which costs next to nothing; when there are
// kRecent of them they are folded into the sums and the buckets, one after the other, and make room for the next.
struct StepArea {
  static constexpr std::size_t kRecent = 32;
  enum Sum : std::size_t { kFailed, kTotal, kMin, kMax, kLost, kSums };  // kLost: no memory for their buckets

  // Sealed durations; the first mark: it failed; the second: of an odd round. Those of the round that is not folded yet
  // are the recent ones.
  std::array<std::atomic<std::uint64_t>, kRecent> recent;
  TwinSlots<kSums> folded;               // its version: rounds that are folded
  std::atomic<std::uint64_t> folding;    // not 0: the buckets are ahead of the sums
  std::atomic<std::uint64_t> table;      // number of the area that holds the buckets; 0: none yet
  std::atomic<std::uint64_t> elsewhere;  // not 0: not all of this step lies in areas

  static constexpr std::uint64_t mark_of(std::uint64_t round) noexcept { return round % 2 * Sealed::kSecondMark; }
};

// What a cell comes to at one instant, but for the distribution of what is folded.
struct Instant {
  StepTotals totals;         // the sketch holds nothing yet
  std::uint64_t folded = 0;  // executions that are in the sums and in buckets
  std::array<Sealed, StepArea::kRecent> recent;
  std::size_t recent_count = 0;
};

// Nullopt if it does not prove itself: it was damaged, or its writer has folded meanwhile. Takes some tens of
// nanoseconds, far less than a writer needs to come round, so whoever tries again will succeed.
std::optional<Instant> read_instant(const StepArea& area) noexcept;

// What the cell of a program that is gone comes to, its last fold finished where the program was killed within it.
// Nullopt if it contradicts itself.
std::optional<StepTotals> read_remains(const StepArea& area, const Buckets& buckets);

// What a cell comes to whose writer may go on: `hits` were found after the instant, and the few that have come since
// are taken out again. Exact where nothing was folded meanwhile.
StepTotals complete(const Instant& instant, std::vector<Buckets::Hits> hits);

// A counter, or the progress: the bits of a double.
struct NumberArea {
  TwinSlots<1> number;
};

// A new one in the journal, all zeros; null where there is no room. To be given back by release(). T: one of the
// structs above.
template <typename T>
T* reserve(journal::Writer& journal, const AreaName& name) {
  char* const place = journal.reserve(name.encode(), sizeof(T));
  return place == nullptr ? nullptr : new (place) T;
}
// The same for the words of Buckets.
inline std::atomic<std::uint64_t>* reserve_words(journal::Writer& journal, const AreaName& name, std::size_t count) {
  return reinterpret_cast<std::atomic<std::uint64_t>*>(
      journal.reserve(name.encode(), count * sizeof(std::atomic<std::uint64_t>)));
}

template <typename T>
void release(journal::Writer& journal, T* area) noexcept {
  journal.release(reinterpret_cast<char*>(area));
}

}  // namespace kleptometrics::cells
