// How often each bucket of a sketch was hit: words of a table that lies in memory which may be read at any instant, or
// after a kill. Only buckets that were hit take a word, so durations from nanoseconds to weeks find room in a small
// one.
//
// A word is the key of its bucket, three times, above the count: a multiple of three stays none if a bit of it flips,
// and a flipped bit of a count shows in their sum. Open addressing; neighbours lie side by side.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/sketch/sketch.h"

namespace kleptometrics::cells {

// A view: borrows its words. One writer; readers never stop it.
class Buckets {
 public:
  static constexpr std::size_t kWordsMin = 128;
  static constexpr std::size_t kWordsPrepared = 256;  // of a cell that is made ready for a hot loop
  static constexpr std::size_t kWordsMax = 8192;      // holds every bucket there is

  Buckets() = default;  // none
  // `size`: a power of two.
  Buckets(std::atomic<std::uint64_t>* words, std::size_t size) noexcept : words_(words), size_(size) {}

  std::size_t size() const noexcept { return size_; }
  // As many as may be taken before it gets slow.
  std::size_t room() const noexcept { return size_ / 8 * 7; }

  static std::uint64_t key_of(std::uint64_t duration_ns) noexcept {
    return duration_ns == 0 ? 0 : static_cast<std::uint64_t>(Sketch::bucket_of(duration_ns) + kFirstKey);
  }

  // Of a key that is not 0.
  static int bucket_of(std::uint64_t key) noexcept { return static_cast<int>(key) - kFirstKey; }

  // One hit more of a bucket that lies where it is looked for first, as most do. False, and nothing is done, if it does
  // not. By the writer.
  bool hit_at_home(std::uint64_t key) const noexcept {
    if (size_ == 0) return false;
    std::atomic<std::uint64_t>& home = words_[key & (size_ - 1)];
    const std::uint64_t word = home.load(std::memory_order_relaxed);
    if (word >> kCountBits != 3 * key) return false;
    home.store(word + 1, std::memory_order_release);
    return true;
  }
  enum class Hit { kKnown, kNew, kNoRoom };
  // One hit more, wherever it lies. `may_take`: a free word, if it has none yet. By the writer.
  Hit hit(std::uint64_t key, bool may_take) const noexcept;
  // Puts down all of `other`, which is smaller. By the writer; into an empty one.
  void copy(const Buckets& other) const noexcept;

  // All that were hit, as they are found. Nullopt if a word is damaged. Takes memory.
  struct Hits {
    std::uint64_t key, times;
  };
  std::optional<std::vector<Hits>> read() const;

 private:
  std::atomic<std::uint64_t>& find(std::uint64_t key) const noexcept;

  static constexpr unsigned kCountBits = 50;
  static constexpr int kFirstKey = 1 - Sketch::kBucketMin;  // 0 is the key of durations of 0
  static constexpr std::uint64_t kKeyMax = Sketch::kBucketMax + kFirstKey;

  std::atomic<std::uint64_t>* words_ = nullptr;
  std::size_t size_ = 0;
};

std::uint64_t sum_of(const std::vector<Buckets::Hits>& hits) noexcept;
void add(const std::vector<Buckets::Hits>& hits, Sketch* sketch);

// Takes `surplus` hits out again, no more than there are: first those beyond the shortest and the longest duration,
// then from all in proportion.
void even_out(std::vector<Buckets::Hits>& hits, std::uint64_t surplus, std::uint64_t min_ns, std::uint64_t max_ns);

}  // namespace kleptometrics::cells
