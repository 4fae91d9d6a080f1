#include "lib/cells/step_cell.h"

#include <algorithm>
#include <new>

namespace kleptometrics::cells {
namespace {

// A writer that adds all the time may be seen half-way again and again; it is not waited for.
constexpr int kTries = 100;

}  // namespace

StepCell::StepCell(journal::Writer& journal, const Uuid& run, std::string_view path, std::uint64_t id) noexcept
    : journal_(journal), run_(run), id_(id) {
  try {
    if (auto* area = reserve<StepArea>(journal, {AreaKind::kStepCell, 0, id, run, path})) area_ = area;
  } catch (...) {  // no memory for the name of the area: in private memory, then
  }
}

StepCell::~StepCell() {
  for (std::size_t i = 0; i < kOctaves; ++i) {
    OctaveArea* const octave = octaves_[i].load(std::memory_order_relaxed);
    if ((octaves_in_journal_[i / 64] >> (i % 64) & 1U) != 0) {
      release(journal_, octave);
    } else {
      delete octave;
    }
  }
  if (in_journal()) release(journal_, area_);
}

OctaveArea* StepCell::make_octave(std::size_t octave) noexcept {
  OctaveArea* made = nullptr;
  try {
    if (in_journal())
      made = reserve<OctaveArea>(journal_, {AreaKind::kOctave, static_cast<std::uint32_t>(octave), id_, run_, {}});
  } catch (...) {  // as above
  }
  if (made != nullptr) {
    octaves_in_journal_[octave / 64] |= std::uint64_t{1} << (octave % 64);
  } else {
    made = new (std::nothrow) OctaveArea{};
    tell_elsewhere();
  }
  octaves_[octave].store(made, std::memory_order_release);
  return made;
}

// The buckets first: what they count has long been in the sums.
StepTotals StepCell::totals() const {
  StepTotals out;
  out.lost = lost_.load(std::memory_order_relaxed);
  out.count = area_->zeros.load(std::memory_order_acquire);
  out.sketch.add_zero(out.count);
  for (std::size_t i = 0; i < kOctaves; ++i)
    if (const OctaveArea* octave = octaves_[i].load(std::memory_order_acquire))
      out.count += add_octave(*octave, i, &out.sketch);
  if (out.count == 0) return out;
  auto sums = area_->executions.read();
  for (int tries = 1; !sums && tries < kTries; ++tries) sums = area_->executions.read();
  if (!sums) return StepTotals{};
  out.failed = std::min(out.count, sums->words[StepArea::kFailed]);
  out.total = sums->words[StepArea::kTotal];
  out.min = sums->words[StepArea::kMin];
  out.max = sums->words[StepArea::kMax];
  return out;
}

std::uint64_t add_octave(const OctaveArea& from, std::size_t octave, Sketch* sketch) {
  const int first = static_cast<int>(octave) * Sketch::kBucketsPerOctave - Sketch::kBucketsPerOctave;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < from.counts.size(); ++i) {
    const std::uint64_t times = from.counts[i].load(std::memory_order_acquire);
    if (times == 0) continue;
    sketch->add_bucket(first + static_cast<int>(i), times);
    count += times;
  }
  return count;
}

}  // namespace kleptometrics::cells
