// Where one thread adds up its executions of a step: written by that thread alone, read by whoever takes a snapshot
// while it goes on. It lies in the journal where that has room, so that what was added survives the program; else in
// private memory. Adding takes no lock, makes no system call, and takes memory or room in the journal only when a
// duration falls into an octave for the first time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "lib/base/uuid.h"
#include "lib/cells/areas.h"
#include "lib/cells/step_totals.h"
#include "lib/journal/journal.h"

namespace kleptometrics::cells {

class StepCell {
 public:
  // Borrows the journal. `id` rises with every cell of the program.
  StepCell(journal::Writer& journal, const Uuid& run, std::string_view path, std::uint64_t id) noexcept;
  ~StepCell();
  StepCell(const StepCell&) = delete;
  StepCell& operator=(const StepCell&) = delete;

  // By one thread at a time.
  void add(std::uint64_t duration_ns, bool has_failed) noexcept;

  // Any thread. Valid whatever the writer does meanwhile (its parts fit together), but the sums may be ahead of
  // the count by executions being added; exact once the writer is quiet. Takes memory.
  StepTotals totals() const;

  bool in_journal() const noexcept { return area_ != &own_; }
  // Other executions of the step lie where they die with the program. Any thread.
  void tell_elsewhere() noexcept { area_->elsewhere.store(1, std::memory_order_relaxed); }

 private:
  OctaveArea* make_octave(std::size_t octave) noexcept;

  journal::Writer& journal_;
  const Uuid run_;
  const std::uint64_t id_;
  StepArea own_{};
  StepArea* area_ = &own_;
  // What the writer knows by heart.
  std::uint64_t count_ = 0;
  TwinSlots<StepArea::kWords>::Words sums_{};
  std::array<std::atomic<OctaveArea*>, kOctaves> octaves_{};
  std::uint64_t octaves_in_journal_[2]{};  // bit set: that one lies there
  std::atomic<std::uint64_t> lost_{0};     // no memory for their octave
};

// For readers of either side: the buckets of one octave into the sketch; how many values they hold.
std::uint64_t add_octave(const OctaveArea& from, std::size_t octave, Sketch* sketch);

inline void StepCell::add(std::uint64_t duration_ns, bool has_failed) noexcept {
  const auto add_to = [](std::atomic<std::uint64_t>& cell) {  // the writer is alone: no read-modify-write
    cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  };
  std::atomic<std::uint64_t>* bucket = &area_->zeros;
  if (duration_ns != 0) {
    const auto index = static_cast<std::size_t>(Sketch::bucket_of(duration_ns) + Sketch::kBucketsPerOctave);
    const std::size_t octave = index / Sketch::kBucketsPerOctave;
    OctaveArea* counts = octaves_[octave].load(std::memory_order_relaxed);
    if (counts == nullptr) counts = make_octave(octave);
    if (counts == nullptr) return add_to(lost_);
    bucket = &counts->counts[index % Sketch::kBucketsPerOctave];
  }
  sums_[StepArea::kFailed] += has_failed ? 1 : 0;
  sums_[StepArea::kTotal] += duration_ns;
  if (duration_ns < sums_[StepArea::kMin] || count_ == 0) sums_[StepArea::kMin] = duration_ns;
  if (duration_ns > sums_[StepArea::kMax]) sums_[StepArea::kMax] = duration_ns;
  area_->executions.write(++count_, sums_);
  add_to(*bucket);
}

}  // namespace kleptometrics::cells
