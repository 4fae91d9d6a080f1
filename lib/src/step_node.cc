#include "lib/src/step_node.h"

#include <new>
#include <utility>

namespace kleptometrics::internal {
ThreadCell::ThreadCell(const StepNode& the_node, journal::Writer& journal, const Uuid& run,
                       const Thread& thread) noexcept
    : node(the_node),
      generation(the_node.home.generation),
      cell(journal, run, the_node.path, next_number()),
      owner(thread.number),
      slot(thread.slot) {}

bool ThreadCell::hand_over_to(const Thread& thread) noexcept {
  std::uint64_t before = owner.load(std::memory_order_acquire);
  if (before == 0 || !Thread{slot.load(std::memory_order_relaxed), before}.ended()) return false;
  if (!owner.compare_exchange_strong(before, 0, std::memory_order_acq_rel)) return false;
  slot.store(thread.slot, std::memory_order_relaxed);
  owner.store(thread.number, std::memory_order_release);
  return true;
}

StepNode::StepNode(const StepNode* parent_node, std::string step_path, const StepHome& step_home)
    : parent(parent_node),
      path(std::move(step_path)),
      home(step_home),
      clock(&step_home.clock == &system_clock() ? nullptr : &step_home.clock),
      uid(next_number()) {}

StepNode::~StepNode() {
  for (ThreadCell* cell = cells_.load(std::memory_order_acquire); cell != nullptr;)
    delete std::exchange(cell, cell->next);
}

[[gnu::cold, gnu::noinline]] ThreadCell* StepNode::find_cell() noexcept {
  const Thread thread = this_thread();
  if (thread.slot == nullptr) return nullptr;
  ThreadCell* found = cells_.load(std::memory_order_acquire);
  while (found != nullptr && found->owner.load(std::memory_order_relaxed) != thread.number) found = found->next;
  if (found == nullptr) {
    found = cells_.load(std::memory_order_acquire);
    while (found != nullptr && !found->hand_over_to(thread)) found = found->next;
  }
  if (found == nullptr) found = make_cell(thread);
  if (found != nullptr) {
    thread.slot->remembered_of(this) = {uid, found};
  } else {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
  return found;
}

ThreadCell* StepNode::make_cell(const Thread& thread) noexcept {
  auto* made = new (std::nothrow) ThreadCell(*this, home.journal, home.run, thread);
  if (made == nullptr || !made->cell.usable()) {
    delete made;
    return nullptr;
  }
  made->next = cells_.load(std::memory_order_relaxed);
  while (!cells_.compare_exchange_weak(made->next, made, std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
  // Whoever comes later sees all that came earlier, so each pair of cells is looked at by one of the two.
  bool all_in_journal = true;
  for (const ThreadCell* each = made; each != nullptr; each = each->next)
    all_in_journal = all_in_journal && each->cell.in_journal();
  if (!all_in_journal)
    for (ThreadCell* each = made; each != nullptr; each = each->next) each->cell.tell_elsewhere();
  return made;
}

void StepNode::make_room() noexcept {
  for (ThreadCell* each = cells_.load(std::memory_order_acquire); each != nullptr; each = each->next)
    each->cell.make_room();
}

cells::StepTotals StepNode::totals() const {
  cells::StepTotals out;
  for (const ThreadCell* each = cells_.load(std::memory_order_acquire); each != nullptr; each = each->next)
    out.add(each->cell.totals());
  out.lost += lost_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace kleptometrics::internal
