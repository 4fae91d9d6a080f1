#include "lib/cells/step_cell.h"

#include <algorithm>
#include <new>
#include <utility>

namespace kleptometrics::cells {
namespace {

// To read a cell between two of its folds. Each succeeds unless the reader is held up within some tens of nanoseconds.
constexpr int kTries = 1000;

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
  // The area first: a cell without its table would be found damaged.
  if (in_journal_) {
    release(journal_, area_);
  } else {
    delete area_;
  }
  for (Table* table = made_.load(std::memory_order_acquire); table != nullptr;) {
    if (table->in_journal) {
      journal_.release(reinterpret_cast<char*>(table->words));
    } else {
      delete[] table->words;
    }
    delete std::exchange(table, table->made_before);
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
  sums[StepArea::kLost] = sums_[StepArea::kLost];
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
    if (make_table_now(std::max(Buckets::kWordsMin, 2 * buckets_.size()))) continue;
    ++sums_[StepArea::kLost];
    return false;
  }
}

[[gnu::cold, gnu::noinline]] bool StepCell::make_table_now(std::size_t words) noexcept {
  Table* const made = make_table(words);
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
  if (buckets_.size() == 0) make_table_now(Buckets::kWordsPrepared);
}

void StepCell::make_room() noexcept {
  const Table* const now = table_.load(std::memory_order_acquire);
  if (now == nullptr || now->buckets.size() >= Buckets::kWordsMax) return;
  if (used_.load(std::memory_order_relaxed) < now->buckets.size() / 4) return;
  if (larger_.load(std::memory_order_relaxed) != nullptr) return;
  if (Table* const made = make_table(2 * now->buckets.size())) larger_.store(made, std::memory_order_release);
}

// The buckets after the instant, and the table after that, so that all that is folded by then is in them.
StepTotals StepCell::totals() const {
  auto instant = read_instant(*area_);
  for (int tries = 0; !instant && tries < kTries; ++tries) instant = read_instant(*area_);
  const Table* const table = table_.load(std::memory_order_acquire);
  auto hits = table == nullptr ? std::vector<Buckets::Hits>() : table->buckets.read();
  return instant && hits ? complete(*instant, *std::move(hits)) : StepTotals{};
}

}  // namespace kleptometrics::cells
