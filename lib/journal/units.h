// Which units of a journal are free: a bitmap, searched a word at a time. For the writer alone. No memory is
// taken after construction; assigning a map of the same size takes none either. Not synchronised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kleptometrics::journal {

class UnitMap {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  explicit UnitMap(std::size_t count);  // all free

  void take(std::size_t first, std::size_t count) noexcept;
  void release(std::size_t first, std::size_t count) noexcept;
  bool is_free(std::size_t unit) const noexcept { return (words_[unit / 64] >> (unit % 64) & 1U) != 0; }
  std::size_t size() const noexcept { return size_; }
  std::size_t free_count() const noexcept { return free_count_; }

  // First of `count` (> 0) consecutive free units, looked for from `from` to the end and then from the start.
  // kNone if there are none. `end`: only before that unit.
  std::size_t find(std::size_t from, std::size_t count, std::size_t end = kNone) const noexcept;
  // The same, but only places that include some of the `freed` free units that begin at `first`.
  std::size_t find_around(std::size_t first, std::size_t freed, std::size_t count) const noexcept;

 private:
  std::size_t find_between(std::size_t from, std::size_t end, std::size_t count) const noexcept;
  std::size_t next_free(std::size_t from) const noexcept;                    // size_ if none
  std::size_t next_taken(std::size_t from, std::size_t end) const noexcept;  // end if none before it
  std::size_t free_since(std::size_t unit, std::size_t back_max) const noexcept;

  std::size_t size_;
  std::size_t free_count_;
  std::vector<std::uint64_t> words_;  // bit set: free. Bits beyond size_ are clear.
};

}  // namespace kleptometrics::journal
