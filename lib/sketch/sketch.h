// Distribution of durations in a few hundred bytes: a base-2 exponential histogram at scale 6, the layout of
// OpenTelemetry's ExponentialHistogram and of Prometheus native histograms. Client and aggregator share it.
//
// Bucket i holds the values in (base^i, base^(i+1)], base = 2^(1/64). A quantile is answered with the
// middle of its bucket (harmonic: the relative error is the same to both sides), so it is off by at most
// kRelativeError, whatever the distribution. Merging is addition: any order gives the same sketch.
//
// Values are nanoseconds as unsigned integers; 0 has a bucket of its own. Pure: no I/O, no clock.
// Not synchronised: one thread at a time, or readers only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/sketch/bounds.h"

namespace kleptometrics {

class Sketch {
 public:
  static constexpr int kScale = 6;
  static constexpr int kBucketsPerOctave = 1 << kScale;
  static constexpr int kScaleMin = -4;  // one bucket for 16 octaves: coarser says nothing
  // Half the width of a bucket: (base - 1) / (base + 1) = 0.542 %, rounded up. Holds at kScale.
  static constexpr double kRelativeError = 0.0055;
  // Lowest bucket at every scale: it holds the value 1 alone.
  static constexpr int kBucketMin = -1;
  // Highest bucket, and how many there are, at kScale.
  static constexpr int kBucketMax = 64 * kBucketsPerOctave - 1;
  static constexpr std::size_t kBucketCountMax = kBucketMax - kBucketMin + 1;

  // Index of the bucket that holds `value` (> 0) at scale 6: ceil(64 log2(value)) - 1, exact at the
  // bounds of buckets (no floating-point logarithm). 0 <= index + 1 <= 64 * 64. Two table look-ups.
  static int bucket_of(std::uint64_t value) noexcept;
  // The value that stands for the bucket in answers, at `scale`.
  static double value_of(int bucket, int scale = kScale) noexcept;

  // Counts are held at 2^64 - 1 once they reach it. Those that take memory give the strong guarantee.
  void add(std::uint64_t value, std::uint64_t times = 1);
  // At this sketch's scale. A bucket that no 64-bit value reaches counts as the nearest that one does.
  void add_bucket(int bucket, std::uint64_t times);
  void add_zero(std::uint64_t times) noexcept;
  // Takes back what was added before. False, and nothing changed, if it is not there.
  bool remove(std::uint64_t value, std::uint64_t times = 1) noexcept;
  bool remove_bucket(int bucket, std::uint64_t times) noexcept;
  // Adds all of `other`; the coarser scale of the two wins.
  void merge(const Sketch& other);
  // Halves the resolution: pairs of buckets become one. For a run that would exceed its size. Does
  // nothing at kScaleMin.
  void coarsen();

  std::uint64_t count() const noexcept;
  // The value at rank ceil(q * count), 0 <= q <= 1, in nanoseconds; 0 for an empty sketch. Any other q
  // counts as the nearer end, NaN as 0. Never between 0 and 1: values are whole.
  double quantile(double q) const noexcept;
  // The value at a rank from 1 to count(), likewise; the last for a higher one, the first for 0.
  double at_rank(std::uint64_t rank) const noexcept;

  // The parts as they travel. `counts` begins at bucket `offset`, neither its first nor last is 0.
  int scale() const noexcept { return scale_; }
  std::uint64_t zero_count() const noexcept { return zero_count_; }
  int offset() const noexcept { return offset_; }
  const std::vector<std::uint64_t>& counts() const noexcept { return counts_; }
  // Builds from parts read from outside; trims zeros at both ends. False, and this sketch is empty, if
  // they are impossible: scale outside [-4, 6], a bucket outside what 64-bit values reach, more than
  // 4,097 buckets, or counts whose sum overflows 64 bits.
  bool assign(int scale, std::uint64_t zero_count, int offset, std::vector<std::uint64_t> counts);

  // As a store keeps it, format 1. One sketch has one such text, and only what encode() writes is read. All numbers are
  // LEB128, the two signed ones zigzag:
  //   version  one byte, 1
  //   scale    signed
  //   zeros    zero_count
  //   offset   signed; this and all that follows only if there are counts
  //   then of each bucket that is not empty, in order, to the end of the bytes:
  //     token  2 * (empty buckets since the one before) + (count is 1 ? 0 : 1)
  //     more   count - 2, only of an odd token
  // A bucket of count 1 takes one byte where fewer than 64 are empty before it. Bytes cut off between two buckets are
  // those of a smaller sketch: keep the count beside them where that must be seen.
  std::string encode() const;
  void encode_to(std::string& out) const;  // appends
  // False, and this sketch is empty, for anything that encode() does not write: another version, bytes missing or left
  // over, impossible values, any number spelled longer than needed. Takes no memory before all is read.
  bool decode(std::string_view bytes);

  bool operator==(const Sketch&) const = default;

 private:
  void trim() noexcept;
  void reach(int bucket);  // makes counts_ include it
  void make_room_for(const Sketch& other);
  int bucket_max() const noexcept { return kBucketMax >> (kScale - scale_); }
  int bucket_here(std::uint64_t value) const noexcept { return bucket_of(value) >> (kScale - scale_); }

  int scale_ = kScale;
  int offset_ = 0;
  std::uint64_t zero_count_ = 0;
  std::vector<std::uint64_t> counts_;
};

inline int Sketch::bucket_of(std::uint64_t value) noexcept {
  const int leading_zeros = std::countl_zero(value | 1U);  // 0 is not allowed, but harmless
  const std::uint64_t mantissa = value << leading_zeros;
  const std::size_t slice = (mantissa >> 56U) & 127U;
  const std::size_t below = sketch_detail::kBoundsBelowSlice[slice];
  const int over = mantissa > sketch_detail::kBounds[below] ? 1 : 0;
  return (63 - leading_zeros) * kBucketsPerOctave + static_cast<int>(below) + over - 1;
}

}  // namespace kleptometrics
