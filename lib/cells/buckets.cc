#include "lib/cells/buckets.h"

namespace kleptometrics::cells {

// The word of a bucket, or the free one that it would take.
std::atomic<std::uint64_t>& Buckets::find(std::uint64_t key) const noexcept {
  std::size_t at = key & (size_ - 1);
  for (;;) {
    const std::uint64_t word = words_[at].load(std::memory_order_relaxed);
    if (word >> kCountBits == 3 * key || word == 0) return words_[at];
    at = (at + 1) & (size_ - 1);
  }
}

Buckets::Hit Buckets::hit(std::uint64_t key, bool may_take) const noexcept {
  if (size_ == 0) return Hit::kNoRoom;
  std::atomic<std::uint64_t>& word = find(key);
  const std::uint64_t before = word.load(std::memory_order_relaxed);
  if (before == 0 && !may_take) return Hit::kNoRoom;
  word.store(before == 0 ? (3 * key << kCountBits) + 1 : before + 1, std::memory_order_release);
  return before == 0 ? Hit::kNew : Hit::kKnown;
}

void Buckets::copy(const Buckets& other) const noexcept {
  for (std::size_t i = 0; i < other.size_; ++i) {
    const std::uint64_t word = other.words_[i].load(std::memory_order_relaxed);
    if (word != 0) find((word >> kCountBits) / 3).store(word, std::memory_order_relaxed);
  }
}

std::optional<std::uint64_t> Buckets::read(Sketch* sketch) const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const std::uint64_t word = words_[i].load(std::memory_order_acquire);
    if (word == 0) continue;
    const std::uint64_t key = (word >> kCountBits) / 3;
    const std::uint64_t times = word & ((std::uint64_t{1} << kCountBits) - 1);
    if (word >> kCountBits != 3 * key || key > kKeyMax) return std::nullopt;
    if (key == 0) {
      sketch->add_zero(times);
    } else {
      sketch->add_bucket(static_cast<int>(key) - kFirstKey, times);
    }
    count += times;
  }
  return count;
}

}  // namespace kleptometrics::cells
