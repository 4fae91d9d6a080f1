#include "lib/cells/buckets.h"

#include <algorithm>

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

std::optional<std::vector<Buckets::Hits>> Buckets::read() const {
  std::vector<Hits> out;
  for (std::size_t i = 0; i < size_; ++i) {
    const std::uint64_t word = words_[i].load(std::memory_order_acquire);
    if (word == 0) continue;
    const std::uint64_t key = (word >> kCountBits) / 3;
    if (word >> kCountBits != 3 * key || key > kKeyMax) return std::nullopt;
    out.push_back({key, word & ((std::uint64_t{1} << kCountBits) - 1)});
  }
  return out;
}

std::uint64_t sum_of(const std::vector<Buckets::Hits>& hits) noexcept {
  std::uint64_t sum = 0;
  for (const Buckets::Hits& each : hits) sum += each.times;
  return sum;
}

void add(const std::vector<Buckets::Hits>& hits, Sketch* sketch) {
  for (const auto& [key, times] : hits) {
    if (key == 0) {
      sketch->add_zero(times);
    } else {
      sketch->add_bucket(Buckets::bucket_of(key), times);
    }
  }
}

void even_out(std::vector<Buckets::Hits>& hits, std::uint64_t surplus, std::uint64_t min_ns, std::uint64_t max_ns) {
  const auto take = [&surplus](Buckets::Hits& from, std::uint64_t times) {
    times = std::min({times, from.times, surplus});
    from.times -= times;
    surplus -= times;
  };
  for (Buckets::Hits& each : hits)
    if (each.key < Buckets::key_of(min_ns) || each.key > Buckets::key_of(max_ns)) take(each, each.times);
  const auto all = static_cast<double>(std::max<std::uint64_t>(sum_of(hits), 1));
  const double share = static_cast<double>(surplus) / all;
  for (Buckets::Hits& each : hits) take(each, static_cast<std::uint64_t>(static_cast<double>(each.times) * share));
  while (surplus != 0) {  // what was rounded away: fewer than there are buckets
    const auto largest = std::max_element(hits.begin(), hits.end(), [](auto& a, auto& b) { return a.times < b.times; });
    if (largest == hits.end() || largest->times == 0) return;
    take(*largest, std::max<std::uint64_t>(largest->times / 8, 1));
  }
}

}  // namespace kleptometrics::cells
