// Where one thread adds up its executions of a step: written by that thread alone, read by whoever takes a snapshot
// while it goes on. It lies in the journal where that has room, so that what was added survives the program; else in
// private memory. Adding takes no lock, makes no system call and, once prepared, takes no memory: room for more buckets
// is made by the worker before it is needed.
#pragma once

#include <algorithm>
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

  // By one thread at a time. More than Sealed::kValueMax counts as that.
  void add(std::uint64_t duration_ns, bool has_failed) noexcept {
    const std::uint64_t failed_mark = has_failed ? Sealed::kFirstMark : 0;
    next_->store(Sealed::seal(std::min(duration_ns, Sealed::kValueMax), round_mark_ | failed_mark),
                 std::memory_order_release);
    if (++next_ == area_->recent.data() + StepArea::kRecent) fold();
  }

  // Any thread; takes memory. All that was added before, and of what is added meanwhile some: sums of one instant, and
  // as many values in the distribution, of which those that come between may stand for each other.
  StepTotals totals() const;

  // For hot loops: from now on add() takes memory only where durations spread faster than make_room() is called. By the
  // thread that adds.
  void prepare() noexcept;
  // Makes room for more buckets before there is none. Any thread, one at a time.
  void make_room() noexcept;

  // False without memory: then it must not be added to.
  bool usable() const noexcept { return area_ != nullptr; }
  bool in_journal() const noexcept { return in_journal_; }
  // Other executions of the step lie where they die with the program. Any thread.
  void tell_elsewhere() noexcept { area_->elsewhere.store(1, std::memory_order_relaxed); }

 private:
  // Where the buckets lie. A larger one takes the place of one that gets full; all live as long as the cell.
  struct Table {
    Buckets buckets;
    std::atomic<std::uint64_t>* words;
    std::uint32_t number;
    bool in_journal;
    Table* made_before;
  };

  void fold() noexcept;
  bool hit_elsewhere(std::uint64_t key) noexcept;
  Table* make_table(std::size_t words) noexcept;
  bool make_table_now(std::size_t words) noexcept;
  void take_table(Table* table) noexcept;

  StepArea* area_ = nullptr;
  std::atomic<std::uint64_t>* next_ = nullptr;  // place of the next execution
  std::uint64_t round_mark_ = 0;
  std::uint64_t round_ = 0;
  TwinSlots<StepArea::kSums>::Words sums_{};  // of what is folded
  Buckets buckets_;                           // of the table in use

  journal::Writer& journal_;
  const Uuid run_;
  const std::uint64_t id_;
  bool in_journal_ = false;
  std::atomic<Table*> table_{nullptr};   // in use
  std::atomic<Table*> larger_{nullptr};  // to be taken into use by the writer
  std::atomic<Table*> made_{nullptr};    // all
  std::atomic<std::uint32_t> tables_{0};
  std::atomic<std::size_t> used_{0};  // words of the one in use
};

}  // namespace kleptometrics::cells
