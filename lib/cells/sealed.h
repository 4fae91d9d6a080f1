// A number of 55 bits and two marks in one word that proves itself: for memory that may be read after a kill, or from a
// damaged disk, by a program that trusts nothing. Seven bits of check beside them: no single flipped bit passes, and of
// other damage one in 128.
#pragma once

#include <cstdint>
#include <optional>

namespace kleptometrics::cells {

struct Sealed {
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << 55U) - 1;  // of nanoseconds: a year and 51 days
  static constexpr std::uint64_t kFirstMark = 128, kSecondMark = 256;

  std::uint64_t value = 0;
  bool first = false, second = false;

  // `number`: at most kValueMax. `marks`: a sum of those above.
  static std::uint64_t seal(std::uint64_t number, std::uint64_t marks) noexcept {
    const std::uint64_t word = number << 9U | marks;
    return word | check_of(word);
  }
  // Nullopt if it was damaged, or never sealed.
  static std::optional<Sealed> open(std::uint64_t word) noexcept {
    if ((word & 127U) != check_of(word & ~std::uint64_t{127})) return std::nullopt;
    return Sealed{value_of(word), (word & kFirstMark) != 0, (word & kSecondMark) != 0};
  }
  // For whoever has sealed it.
  static std::uint64_t value_of(std::uint64_t word) noexcept { return word >> 9U; }

 private:
  // The upper bits of a product. A flipped bit of `word` adds or takes kFactor, shifted; the seven bits see it unless
  // their part of that is all zeros or all ones, which no seven neighbours among the bits of kFactor are. No word that
  // is all zeros passes.
  static constexpr std::uint64_t kFactor = 0x9e3779b9354a7c15U;
  static std::uint64_t check_of(std::uint64_t word) noexcept { return ~(word * kFactor) >> 57U; }
};

}  // namespace kleptometrics::cells
