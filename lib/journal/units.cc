#include "lib/journal/units.h"

#include <algorithm>
#include <bit>

namespace kleptometrics::journal {
namespace {

constexpr std::uint64_t kAll = UINT64_MAX;

// Calls `change(word, bits)` for each word that [first, first + count) touches.
template <typename Words, typename Change>
void for_words(Words& words, std::size_t first, std::size_t count, Change change) {
  while (count > 0) {
    const std::size_t bit = first % 64;
    const std::size_t here = std::min(count, 64 - bit);
    change(words[first / 64], (kAll >> (64 - here)) << bit);
    first += here;
    count -= here;
  }
}

}  // namespace

UnitMap::UnitMap(std::size_t count) : size_(count), free_count_(0), words_((count + 63) / 64, 0) { release(0, count); }

void UnitMap::take(std::size_t first, std::size_t count) noexcept {
  for_words(words_, first, count, [](std::uint64_t& word, std::uint64_t bits) { word &= ~bits; });
  free_count_ -= count;
}

void UnitMap::release(std::size_t first, std::size_t count) noexcept {
  for_words(words_, first, count, [](std::uint64_t& word, std::uint64_t bits) { word |= bits; });
  free_count_ += count;
}

std::size_t UnitMap::find(std::size_t from, std::size_t count, std::size_t end) const noexcept {
  if (count > free_count_) return kNone;
  end = std::min(end, size_);
  const std::size_t found = find_between(from, end, count);
  if (found != kNone || from == 0) return found;
  return find_between(0, std::min(end, from + count - 1), count);
}

std::size_t UnitMap::find_around(std::size_t first, std::size_t freed, std::size_t count) const noexcept {
  if (freed >= count) return first;
  const std::size_t end = next_taken(first + freed, std::min(size_, first + count));
  if (end - first >= count) return first;
  const std::size_t missing = count - (end - first);
  return first - free_since(first, missing) == missing ? first - missing : kNone;
}

std::size_t UnitMap::find_between(std::size_t from, std::size_t end, std::size_t count) const noexcept {
  while (from + count <= end) {
    const std::size_t first = next_free(from);
    if (first + count > end) return kNone;
    const std::size_t taken = next_taken(first, first + count);
    if (taken == first + count) return first;
    from = taken + 1;
  }
  return kNone;
}

std::size_t UnitMap::next_free(std::size_t from) const noexcept {
  for (; from < size_; from = (from / 64 + 1) * 64) {
    const std::uint64_t rest = words_[from / 64] >> (from % 64);
    if (rest != 0) return from + static_cast<std::size_t>(std::countr_zero(rest));
  }
  return size_;
}

std::size_t UnitMap::next_taken(std::size_t from, std::size_t end) const noexcept {
  while (from < end) {
    const std::size_t bit = from % 64;
    const auto free = static_cast<std::size_t>(std::countr_one(words_[from / 64] >> bit));
    from += free;
    if (free < 64 - bit) break;
  }
  return std::min(from, end);
}

// The lowest unit, at most `back_max` before `unit`, from which all up to `unit` are free.
std::size_t UnitMap::free_since(std::size_t unit, std::size_t back_max) const noexcept {
  const std::size_t lowest = unit > back_max ? unit - back_max : 0;
  while (unit > lowest) {
    const std::size_t bits = (unit - 1) % 64 + 1;  // of this word, below `unit`
    const auto free = static_cast<std::size_t>(std::countl_one(words_[(unit - 1) / 64] << (64 - bits)));
    unit -= std::min(free, bits);
    if (free < bits) break;
  }
  return std::max(unit, lowest);
}

}  // namespace kleptometrics::journal
