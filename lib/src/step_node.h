// One step of a run: its path, and the cells in which the threads add up their executions of it. A thread that has
// ended leaves its cell to the next one that comes, so there are as many as threads that record at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"
#include "lib/cells/step_cell.h"
#include "lib/cells/step_totals.h"
#include "lib/journal/journal.h"
#include "lib/src/threads.h"
#include "lib/src/ticks.h"

namespace kleptometrics::internal {

struct StepNode;

// A cell and the thread that writes to it.
struct ThreadCell {
  ThreadCell(const StepNode& the_node, journal::Writer& journal, const Uuid& run, const Thread& thread) noexcept;
  // True if it now is that thread's, whose owner before it has ended.
  bool hand_over_to(const Thread& thread) noexcept;

  const StepNode& node;
  const std::uint64_t generation;  // of the process it belongs to: a forked child must not touch it
  cells::StepCell cell;
  std::atomic<std::uint64_t> owner;  // number of the thread; 0: it is being handed over
  std::atomic<ThreadSlot*> slot;     // of the owner
  ThreadCell* next = nullptr;        // in its node's list; fixed once published
};

// What belongs to a run and is the same for all its steps. Borrows all.
struct StepHome {
  const Clock& clock;
  journal::Writer& journal;
  const Uuid& run;
  std::uint64_t generation;  // of the process that made it
};

// Lives as long as its run's state. Any thread.
struct StepNode {
  StepNode(const StepNode* parent_node, std::string step_path, const StepHome& step_home);
  ~StepNode();
  StepNode(const StepNode&) = delete;
  StepNode& operator=(const StepNode&) = delete;

  // The calling thread's cell; null, and an execution is lost, if there is no memory for one.
  ThreadCell* cell() noexcept;
  // The same if this thread used it lately, else null.
  ThreadCell* remembered_cell() const noexcept;
  cells::StepTotals totals() const;
  // For all cells, what StepCell::make_room() says.
  void make_room() noexcept;

  const StepNode* const parent;
  const std::string path;
  const StepHome home;
  const Clock* const clock;          // null: the system's
  const std::uint64_t uid;           // never used again in this process
  StepNode* next_of_hash = nullptr;  // in its run's table; fixed once published

 private:
  ThreadCell* find_cell() noexcept;
  ThreadCell* make_cell(const Thread& thread) noexcept;

  std::atomic<ThreadCell*> cells_{nullptr};
  std::atomic<std::uint64_t> lost_{0};
};

inline ThreadCell* StepNode::remembered_cell() const noexcept {
  const RememberedCell& entry = this_slot->remembered_of(this);
  return entry.uid == uid ? entry.cell : nullptr;
}

inline ThreadCell* StepNode::cell() noexcept {
  ThreadCell* const remembered = remembered_cell();
  return remembered != nullptr ? remembered : find_cell();
}

}  // namespace kleptometrics::internal
