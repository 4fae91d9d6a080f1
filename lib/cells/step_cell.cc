#include "lib/cells/step_cell.h"

#include <algorithm>
#include <new>

namespace kleptometrics::cells {
namespace {

// A writer that folds is done in a microsecond, unless it was held up; it is not waited for.
constexpr int kTries = 100;

}  // namespace

StepCell::StepCell(journal::Writer& journal, const Uuid& run, std::string_view path, std::uint64_t id) noexcept
    : journal_(journal), run_(run), id_(id) {
  sums_[StepArea::kMin] = UINT64_MAX;
  try {
    if (auto* area = reserve<StepArea>(journal, {AreaKind::kStepCell, 0, id, run, path})) area_ = area;
  } catch (...) {  // no memory for the name of the area: in private memory, then
  }
  next_ = area_->recent.data();
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

// The recent executions, in their order, into their buckets; and then all at once into the sums.
[[gnu::noinline]] void StepCell::fold() noexcept {
  area_->folding.store(1, std::memory_order_release);
  auto sums = sums_;
  std::uint64_t lost = 0;
  for (const auto& recent : area_->recent) {
    const std::uint64_t word = recent.load(std::memory_order_relaxed);
    const std::uint64_t duration = Sealed::value_of(word);
    const int index = Sketch::bucket_of(duration) + Sketch::kBucketsPerOctave;
    const auto octave = static_cast<std::size_t>(index / Sketch::kBucketsPerOctave);
    OctaveArea* counts = octaves_[octave].load(std::memory_order_relaxed);
    if (counts == nullptr) counts = make_octave(octave);
    if (counts == nullptr) {
      ++lost;
      continue;
    }
    auto* bucket = &counts->counts[static_cast<std::size_t>(index % Sketch::kBucketsPerOctave)];
    if (duration == 0) bucket = &area_->zeros;
    sums[StepArea::kFailed] += word / Sealed::kFirstMark % 2;
    sums[StepArea::kTotal] += duration;
    sums[StepArea::kMin] = std::min(sums[StepArea::kMin], duration);
    sums[StepArea::kMax] = std::max(sums[StepArea::kMax], duration);
    // The writer is alone: no read-modify-write.
    bucket->store(bucket->load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  if (lost != 0) lost_.fetch_add(lost, std::memory_order_release);
  sums_ = sums;
  area_->folded.write(++round_, sums_);
  area_->folding.store(0, std::memory_order_release);
  round_mark_ = StepArea::mark_of(round_);
  next_ = area_->recent.data();
}

// Null without memory.
[[gnu::cold, gnu::noinline]] OctaveArea* StepCell::make_octave(std::size_t octave) noexcept {
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

StepTotals StepCell::totals() const {
  Octaves octaves{};
  for (int tries = 0; tries <= kTries; ++tries) {
    const std::uint64_t lost = lost_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < kOctaves; ++i) octaves[i] = octaves_[i].load(std::memory_order_acquire);
    // A writer that is held up while it folds is as good as gone for a moment.
    if (auto read = read_cell(*area_, octaves, tries == kTries, lost)) return *std::move(read);
  }
  return {};
}

}  // namespace kleptometrics::cells
