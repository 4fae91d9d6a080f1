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

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kleptometrics {

class Sketch {
 public:
  static constexpr int kScale = 6;
  static constexpr int kBucketsPerOctave = 1 << kScale;
  // Half the width of a bucket: (base - 1) / (base + 1) = 0.542 %, rounded up.
  static constexpr double kRelativeError = 0.0055;

  // Index of the bucket that holds `value` (> 0) at scale 6: ceil(64 log2(value)) - 1, exact at the
  // bounds of buckets (no floating-point logarithm). 0 <= index + 1 <= 64 * 64.
  static int bucket_of(std::uint64_t value) noexcept;
  // The value that stands for the bucket in answers, at `scale`.
  static double value_of(int bucket, int scale = kScale) noexcept;

  void add(std::uint64_t value, std::uint64_t times = 1);
  void add_bucket(int bucket, std::uint64_t times);  // at this sketch's scale
  void add_zero(std::uint64_t times) noexcept;
  // Takes back what was added before. False, and nothing changed, if it is not there.
  bool remove(std::uint64_t value, std::uint64_t times = 1) noexcept;
  // Adds all of `other`; the coarser scale of the two wins.
  void merge(const Sketch& other);
  // Halves the resolution: pairs of buckets become one. For a run that would exceed its size.
  void coarsen();

  std::uint64_t count() const noexcept;
  // The value at rank ceil(q * count), 0 <= q <= 1, in nanoseconds; 0 for an empty sketch.
  double quantile(double q) const noexcept;

  // The parts as they travel. `counts` begins at bucket `offset`, neither its first nor last is 0.
  int scale() const noexcept { return scale_; }
  std::uint64_t zero_count() const noexcept { return zero_count_; }
  int offset() const noexcept { return offset_; }
  const std::vector<std::uint64_t>& counts() const noexcept { return counts_; }
  // Builds from parts read from outside; trims zeros at both ends. False, and this sketch is empty, if
  // they are impossible: scale outside [-4, 6], a bucket outside what 64-bit values reach, more than
  // 4,097 buckets, or counts whose sum overflows 64 bits.
  bool assign(int scale, std::uint64_t zero_count, int offset, std::vector<std::uint64_t> counts);

  bool operator==(const Sketch&) const = default;

 private:
  void trim() noexcept;

  int scale_ = kScale;
  int offset_ = 0;
  std::uint64_t zero_count_ = 0;
  std::vector<std::uint64_t> counts_;
};

}  // namespace kleptometrics
