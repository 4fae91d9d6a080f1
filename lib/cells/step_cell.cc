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
    area_ = reserve<StepArea>(journal, {AreaKind::kStepCell, 0, id, run, path});
  } catch (...) {  // no memory for the name of the area: in private memory, then
  }
  in_journal_ = area_ != nullptr;
  if (!in_journal_) area_ = new (std::nothrow) StepArea{};
  if (usable()) next_ = area_->recent.data();
}

StepCell::~StepCell() {
  if (Table* const table = table_.load(std::memory_order_relaxed)) {
    for (std::size_t i = 0; i < kOctaves; ++i) {
      OctaveArea* const octave = table->octaves[i].load(std::memory_order_relaxed);
      if (table->in_journal[i]) {
        release(journal_, octave);
      } else {
        delete octave;
      }
    }
    delete table;
  }
  if (in_journal_) {
    release(journal_, area_);
  } else {
    delete area_;
  }
}

// The recent executions, in their order, into their buckets; and then all at once into the sums.
[[gnu::noinline]] void StepCell::fold() noexcept {
  area_->folding.store(1, std::memory_order_release);
  auto sums = sums_;
  std::uint64_t lost = 0;
  Table* table = table_.load(std::memory_order_relaxed);
  if (table == nullptr) table_.store(table = new (std::nothrow) Table, std::memory_order_release);
  for (const auto& recent : area_->recent) {
    const std::uint64_t word = recent.load(std::memory_order_relaxed);
    const std::uint64_t duration = Sealed::value_of(word);
    const int index = Sketch::bucket_of(duration) + Sketch::kBucketsPerOctave;
    const auto octave = static_cast<std::size_t>(index / Sketch::kBucketsPerOctave);
    OctaveArea* counts = table == nullptr ? nullptr : table->octaves[octave].load(std::memory_order_relaxed);
    if (counts == nullptr) counts = make_octave(table, octave);
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
[[gnu::cold, gnu::noinline]] OctaveArea* StepCell::make_octave(Table* table, std::size_t octave) noexcept {
  if (table == nullptr) return nullptr;
  OctaveArea* made = nullptr;
  try {
    if (in_journal_)
      made = reserve<OctaveArea>(journal_, {AreaKind::kOctave, static_cast<std::uint32_t>(octave), id_, run_, {}});
  } catch (...) {  // as above
  }
  table->in_journal[octave] = made != nullptr;
  if (made == nullptr) {
    made = new (std::nothrow) OctaveArea{};
    tell_elsewhere();
  }
  table->octaves[octave].store(made, std::memory_order_release);
  return made;
}

StepTotals StepCell::totals() const {
  for (int tries = 0; tries <= kTries; ++tries) {
    const bool as_good_as_gone = tries == kTries;  // held up while it folds
    const std::uint64_t lost = lost_.load(std::memory_order_acquire);
    const Table* const table = table_.load(std::memory_order_acquire);
    auto read = table == nullptr ? read_cell(*area_, nullptr, as_good_as_gone, lost)
                                 : read_folded(*table, as_good_as_gone, lost);
    if (read) return *std::move(read);
  }
  return {};
}

std::optional<StepTotals> StepCell::read_folded(const Table& table, bool writer_is_gone, std::uint64_t lost) const {
  Octaves octaves;
  for (std::size_t i = 0; i < kOctaves; ++i) octaves[i] = table.octaves[i].load(std::memory_order_acquire);
  return read_cell(*area_, &octaves, writer_is_gone, lost);
}

}  // namespace kleptometrics::cells
