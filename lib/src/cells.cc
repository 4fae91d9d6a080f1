#include "lib/src/cells.h"

#include <algorithm>
#include <new>
#include <vector>

namespace kleptometrics::internal {
namespace {

// Writers are alone, so a plain load, add and store will do. Release: what was stored before is seen by whoever sees
// this.
void add_to(std::atomic<std::uint64_t>& cell, std::uint64_t value) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + value, std::memory_order_release);
}

std::uint64_t next_uid() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The cells that this thread used last, by uid of the step. Trivially destroyed, so it serves to the very end of the
// thread; an entry of a step that is gone never matches, since uids are not used again.
struct Remembered {
  std::uint64_t uid = 0;
  StepCell* cell = nullptr;
};
constexpr std::size_t kRemembered = 64;
constinit thread_local std::array<Remembered, kRemembered> remembered{};
constinit thread_local std::uint64_t this_thread = 0;

}  // namespace

StepCell::~StepCell() {
  for (auto& octave : octaves) delete octave.load(std::memory_order_relaxed);
}

// The bucket comes last: a reader that counts this execution sees its total, extremes and failure too.
void StepCell::add(std::uint64_t duration_ns, bool has_failed) noexcept {
  add_to(total, duration_ns);
  if (duration_ns > max.load(std::memory_order_relaxed)) max.store(duration_ns, std::memory_order_release);
  if (duration_ns < min.load(std::memory_order_relaxed)) min.store(duration_ns, std::memory_order_release);
  if (has_failed) add_to(failed, 1);
  if (duration_ns == 0) return add_to(zeros, 1);
  const auto index = static_cast<std::size_t>(Sketch::bucket_of(duration_ns) + Sketch::kBucketsPerOctave);
  auto& slot = octaves[index / Sketch::kBucketsPerOctave];
  Octave* octave = slot.load(std::memory_order_relaxed);
  if (octave == nullptr) {
    octave = new (std::nothrow) Octave{};
    if (octave == nullptr) return add_to(lost, 1);
    slot.store(octave, std::memory_order_release);
  }
  add_to((*octave)[index % Sketch::kBucketsPerOctave], 1);
}

StepNode::StepNode(const StepNode* parent_node, std::string step_path, const Clock& steady_clock)
    : parent(parent_node), path(std::move(step_path)), clock(steady_clock), uid(next_uid()) {}

StepNode::~StepNode() {
  for (StepCell* cell = cells_.load(std::memory_order_acquire); cell != nullptr;) {
    StepCell* next = cell->next;
    delete cell;
    cell = next;
  }
}

StepCell* StepNode::cell() noexcept {
  Remembered& entry = remembered[uid % kRemembered];
  if (entry.uid == uid) return entry.cell;
  if (this_thread == 0) this_thread = next_uid();
  StepCell* found = cells_.load(std::memory_order_acquire);
  while (found != nullptr && found->thread != this_thread) found = found->next;
  if (found == nullptr) found = make_cell(this_thread);
  if (found != nullptr) entry = {uid, found};
  return found;
}

StepCell* StepNode::make_cell(std::uint64_t thread) noexcept {
  auto* made = new (std::nothrow) StepCell(*this, thread);
  if (made == nullptr) return nullptr;
  made->next = cells_.load(std::memory_order_relaxed);
  while (!cells_.compare_exchange_weak(made->next, made, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return made;
}

// Reads in the opposite order of add(): buckets first, total last.
StepTotals StepNode::totals() const {
  StepTotals out;
  out.min = UINT64_MAX;
  for (const StepCell* cell = cells_.load(std::memory_order_acquire); cell != nullptr; cell = cell->next) {
    std::uint64_t count = cell->zeros.load(std::memory_order_acquire);
    out.sketch.add_zero(count);
    for (std::size_t o = 0; o < cell->octaves.size(); ++o) {
      const StepCell::Octave* octave = cell->octaves[o].load(std::memory_order_acquire);
      if (octave == nullptr) continue;
      for (std::size_t i = 0; i < octave->size(); ++i) {
        const std::uint64_t times = (*octave)[i].load(std::memory_order_acquire);
        if (times == 0) continue;
        out.sketch.add_bucket(static_cast<int>(o * octave->size() + i) - Sketch::kBucketsPerOctave, times);
        count += times;
      }
    }
    out.lost += cell->lost.load(std::memory_order_acquire);
    if (count == 0) continue;
    out.count += count;
    out.failed += std::min(count, cell->failed.load(std::memory_order_acquire));
    out.min = std::min(out.min, cell->min.load(std::memory_order_acquire));
    out.max = std::max(out.max, cell->max.load(std::memory_order_acquire));
    out.total += cell->total.load(std::memory_order_acquire);
  }
  if (out.count == 0) out.min = 0;
  return out;
}

}  // namespace kleptometrics::internal
