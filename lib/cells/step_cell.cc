#include "lib/cells/step_cell.h"

#include <algorithm>
#include <new>
#include <utility>

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
  for (Table* table = made_.load(std::memory_order_acquire); table != nullptr;) {
    if (table->in_journal) {
      journal_.release(reinterpret_cast<char*>(table->words));
    } else {
      delete[] table->words;
    }
    delete std::exchange(table, table->made_before);
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
  if (larger_.load(std::memory_order_relaxed) != nullptr) take_table(larger_.exchange(nullptr));
  Buckets buckets = buckets_;
  auto sums = sums_;
  for (const auto& recent : area_->recent) {
    const std::uint64_t word = recent.load(std::memory_order_relaxed);
    const std::uint64_t duration = Sealed::value_of(word);
    const std::uint64_t key = Buckets::key_of(duration);
    if (!buckets.hit_at_home(key)) {
      if (!hit_elsewhere(key)) continue;
      buckets = buckets_;
    }
    sums[StepArea::kFailed] += word / Sealed::kFirstMark % 2;
    sums[StepArea::kTotal] += duration;
    sums[StepArea::kMin] = std::min(sums[StepArea::kMin], duration);
    sums[StepArea::kMax] = std::max(sums[StepArea::kMax], duration);
  }
  sums_ = sums;
  area_->folded.write(++round_, sums_);
  area_->folding.store(0, std::memory_order_release);
  round_mark_ = StepArea::mark_of(round_);
  next_ = area_->recent.data();
}

// Not in its first place, or in none yet. False, and the execution is lost, without memory.
[[gnu::noinline]] bool StepCell::hit_elsewhere(std::uint64_t key) noexcept {
  for (;;) {
    const std::size_t used = used_.load(std::memory_order_relaxed);
    const Buckets::Hit hit = buckets_.hit(key, used < buckets_.room());
    if (hit == Buckets::Hit::kNew) used_.store(used + 1, std::memory_order_relaxed);
    if (hit != Buckets::Hit::kNoRoom) return true;
    if (make_table_now()) continue;
    lost_.fetch_add(1, std::memory_order_release);
    return false;
  }
}

[[gnu::cold, gnu::noinline]] bool StepCell::make_table_now() noexcept {
  Table* const made = make_table(std::max(Buckets::kWordsMin, 2 * buckets_.size()));
  if (made != nullptr) take_table(made);
  return made != nullptr;
}

// By the writer. A reader who sees the table sees its words.
void StepCell::take_table(Table* table) noexcept {
  if (buckets_.size() >= table->buckets.size()) return;  // it came too late
  table->buckets.copy(buckets_);
  buckets_ = table->buckets;
  if (!table->in_journal) tell_elsewhere();
  area_->table.store(table->number, std::memory_order_release);
  table_.store(table, std::memory_order_release);
}

StepCell::Table* StepCell::make_table(std::size_t words) noexcept {
  auto* made = new (std::nothrow) Table{{}, nullptr, tables_.fetch_add(1) + 1, in_journal_, nullptr};
  if (made == nullptr) return nullptr;
  try {
    if (in_journal_) made->words = reserve_words(journal_, {AreaKind::kTable, made->number, id_, run_, {}}, words);
  } catch (...) {  // as above
  }
  if (made->words == nullptr) {
    made->in_journal = false;
    made->words = new (std::nothrow) std::atomic<std::uint64_t>[words] {};
  }
  if (made->words == nullptr) {
    delete made;
    return nullptr;
  }
  made->buckets = {made->words, words};
  made->made_before = made_.load(std::memory_order_relaxed);
  while (!made_.compare_exchange_weak(made->made_before, made, std::memory_order_acq_rel)) {
  }
  return made;
}

void StepCell::prepare() noexcept {
  if (table_.load(std::memory_order_relaxed) == nullptr) make_table_now();
}

void StepCell::make_room() noexcept {
  const Table* const now = table_.load(std::memory_order_acquire);
  if (now == nullptr || now->buckets.size() >= Buckets::kWordsMax) return;
  if (used_.load(std::memory_order_relaxed) < now->buckets.size() / 2) return;
  if (larger_.load(std::memory_order_relaxed) != nullptr) return;
  if (Table* const made = make_table(2 * now->buckets.size())) larger_.store(made, std::memory_order_release);
}

StepTotals StepCell::totals() const {
  for (int tries = 0; tries <= kTries; ++tries) {
    const bool as_good_as_gone = tries == kTries;  // held up while it folds
    const std::uint64_t lost = lost_.load(std::memory_order_acquire);
    const Table* const table = table_.load(std::memory_order_acquire);
    const Buckets buckets = table == nullptr ? Buckets() : table->buckets;
    if (auto read = read_cell(*area_, buckets, as_good_as_gone, lost)) return *std::move(read);
  }
  return {};
}

}  // namespace kleptometrics::cells
