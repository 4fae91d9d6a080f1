// Where one thread adds up its executions of a step: written by that thread alone, read by whoever takes a snapshot
// while it goes on. It lies in the journal where that has room, so that what was added survives the program; else in
// private memory. Adding takes no lock and makes no system call, and takes memory or room in the journal only when
// durations fall into an octave for the first time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
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

  // By one thread at a time. More than Sealed::kValueMax counts as that.
  void add(std::uint64_t duration_ns, bool has_failed) noexcept {
    const std::uint64_t failed_mark = has_failed ? Sealed::kFirstMark : 0;
    next_->store(Sealed::seal(std::min(duration_ns, Sealed::kValueMax), round_mark_ | failed_mark),
                 std::memory_order_release);
    if (++next_ == area_->recent.data() + StepArea::kRecent) fold();
  }

  // Any thread. All that was added before; of what is added meanwhile some. Takes memory. Empty in the unlikely case
  // that the writer is caught half-way again and again.
  StepTotals totals() const;

  // False without memory: then it must not be added to.
  bool usable() const noexcept { return area_ != nullptr; }
  bool in_journal() const noexcept { return in_journal_; }
  // Other executions of the step lie where they die with the program. Any thread.
  void tell_elsewhere() noexcept { area_->elsewhere.store(1, std::memory_order_relaxed); }

 private:
  void fold() noexcept;

  // Where the octaves lie that durations fell into; made when there is the first to fold.
  struct Table {
    std::array<std::atomic<OctaveArea*>, kOctaves> octaves{};
    std::array<bool, kOctaves> in_journal{};
  };
  OctaveArea* make_octave(Table* table, std::size_t octave) noexcept;
  std::optional<StepTotals> read_folded(const Table& table, bool writer_is_gone, std::uint64_t lost) const;

  StepArea* area_ = nullptr;
  std::atomic<std::uint64_t>* next_ = nullptr;  // place of the next execution
  std::uint64_t round_mark_ = 0;
  std::uint64_t round_ = 0;
  TwinSlots<StepArea::kSums>::Words sums_{};  // of what is folded

  journal::Writer& journal_;
  const Uuid run_;
  const std::uint64_t id_;
  bool in_journal_ = false;
  std::atomic<Table*> table_{nullptr};
  std::atomic<std::uint64_t> lost_{0};  // no memory for their octave
};

}  // namespace kleptometrics::cells
