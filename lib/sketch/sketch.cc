#include "lib/sketch/sketch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace kleptometrics {
namespace {

constexpr std::uint64_t kCountMax = std::numeric_limits<std::uint64_t>::max();

// Holding at the maximum keeps addition free of order; wrapping round would make a sketch of many look empty.
std::uint64_t add_held(std::uint64_t a, std::uint64_t b) noexcept { return a > kCountMax - b ? kCountMax : a + b; }

std::uint64_t sum_held(const std::vector<std::uint64_t>& counts, std::uint64_t start) noexcept {
  return std::accumulate(counts.begin(), counts.end(), start, add_held);
}

bool sum_overflows(const std::vector<std::uint64_t>& counts, std::uint64_t sum) noexcept {
  for (const std::uint64_t count : counts) {
    if (count > kCountMax - sum) return true;
    sum += count;
  }
  return false;
}

// ceil(q * count) in [1, count]. A double cannot hold every count, hence the second clamp.
std::uint64_t rank_of(double q, std::uint64_t count) noexcept {
  if (!(q > 0)) return 1;
  if (q >= 1) return count;
  const double rank = std::ceil(q * static_cast<double>(count));
  if (rank >= 0x1p64) return count;
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rank), 1, count);
}

}  // namespace

double Sketch::value_of(int bucket, int scale) noexcept {
  const double low = std::exp2(std::ldexp(bucket, -scale));
  const double base = std::exp2(std::ldexp(1.0, -scale));
  return low * (2 * base / (1 + base));  // 2 / (1 / low + 1 / high)
}

void Sketch::add(std::uint64_t value, std::uint64_t times) {
  if (value == 0) return add_zero(times);
  add_bucket(bucket_here(value), times);
}

void Sketch::add_bucket(int bucket, std::uint64_t times) {
  if (times == 0) return;
  bucket = std::clamp(bucket, kBucketMin, bucket_max());
  reach(bucket);
  std::uint64_t& count = counts_[static_cast<std::size_t>(bucket - offset_)];
  count = add_held(count, times);
}

void Sketch::add_zero(std::uint64_t times) noexcept { zero_count_ = add_held(zero_count_, times); }

bool Sketch::remove(std::uint64_t value, std::uint64_t times) noexcept {
  if (times == 0) return true;
  if (value == 0) {
    if (zero_count_ < times) return false;
    zero_count_ -= times;
    return true;
  }
  return remove_bucket(bucket_here(value), times);
}

bool Sketch::remove_bucket(int bucket, std::uint64_t times) noexcept {
  if (times == 0) return true;
  const int at = std::clamp(bucket, kBucketMin, bucket_max()) - offset_;
  if (at < 0 || static_cast<std::size_t>(at) >= counts_.size()) return false;
  std::uint64_t& count = counts_[static_cast<std::size_t>(at)];
  if (count < times) return false;
  count -= times;
  trim();
  return true;
}

void Sketch::merge(const Sketch& other) {
  if (other.scale_ > scale_) {
    Sketch same = other;
    while (same.scale_ > scale_) same.coarsen();
    return merge(same);
  }
  make_room_for(other);  // all that can fail; from here on nothing takes memory
  while (scale_ > other.scale_) coarsen();
  add_zero(other.zero_count_);
  if (other.counts_.empty()) return;
  reach(other.offset_);
  reach(other.offset_ + static_cast<int>(other.counts_.size()) - 1);
  const auto first = counts_.begin() + (other.offset_ - offset_);
  std::transform(other.counts_.begin(), other.counts_.end(), first, first, add_held);
}

// Takes the memory for the buckets of both, at the scale of `other`, which is no finer. Doubles what there was where
// that is more, so that many merges take memory few times.
void Sketch::make_room_for(const Sketch& other) {
  if (other.counts_.empty()) return;
  const auto last_of = [](const Sketch& sketch) {
    return sketch.offset_ + static_cast<int>(sketch.counts_.size()) - 1;
  };
  const int finer = scale_ - other.scale_;
  const int first = counts_.empty() ? other.offset_ : std::min(offset_ >> finer, other.offset_);
  const int last = counts_.empty() ? last_of(other) : std::max(last_of(*this) >> finer, last_of(other));
  const auto size = static_cast<std::size_t>(last - first) + 1;
  if (size > counts_.capacity()) counts_.reserve(std::max(size, std::min(2 * counts_.capacity(), kBucketCountMax)));
}

void Sketch::coarsen() {
  if (scale_ == kScaleMin) return;
  --scale_;
  if (counts_.empty()) return;
  // Halved in place. Shifting right rounds down, for the bucket below 0 too: -1 stays -1.
  const int offset = offset_ >> 1;
  std::size_t used = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const std::uint64_t count = std::exchange(counts_[i], 0);
    const auto to = static_cast<std::size_t>(((offset_ + static_cast<int>(i)) >> 1) - offset);
    counts_[to] = add_held(counts_[to], count);
    used = to + 1;
  }
  counts_.resize(used);
  offset_ = offset;
}

std::uint64_t Sketch::count() const noexcept { return sum_held(counts_, zero_count_); }

double Sketch::quantile(double q) const noexcept { return at_rank(rank_of(q, count())); }

double Sketch::at_rank(std::uint64_t rank) const noexcept {
  if (counts_.empty()) return 0;
  std::uint64_t seen = zero_count_;
  if (seen >= rank) return 0;
  std::size_t at = 0;
  while (at + 1 < counts_.size() && (seen = add_held(seen, counts_[at])) < rank) ++at;
  return std::max(1.0, value_of(offset_ + static_cast<int>(at), scale_));
}

bool Sketch::assign(int scale, std::uint64_t zero_count, int offset, std::vector<std::uint64_t> counts) {
  *this = Sketch{};
  if (scale < kScaleMin || scale > kScale || counts.size() > kBucketCountMax) return false;
  if (sum_overflows(counts, zero_count)) return false;
  const auto counted = [](std::uint64_t count) { return count != 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), counted) - counts.begin();
  const auto last = counts.rend() - std::find_if(counts.rbegin(), counts.rend(), counted) - 1;
  // In 64 bits: the offset may be any int. Of counts that are all zero the offset says nothing.
  const bool inside =
      std::int64_t{offset} + first >= kBucketMin && std::int64_t{offset} + last <= (kBucketMax >> (kScale - scale));
  if (last >= 0 && !inside) return false;
  scale_ = scale;
  zero_count_ = zero_count;
  counts_ = std::move(counts);
  offset_ = last >= 0 ? offset : 0;
  trim();
  return true;
}

void Sketch::reach(int bucket) {
  if (counts_.empty()) {
    counts_.push_back(0);
    offset_ = bucket;
  } else if (bucket < offset_) {
    counts_.insert(counts_.begin(), static_cast<std::size_t>(offset_ - bucket), 0);
    offset_ = bucket;
  } else if (const auto size = static_cast<std::size_t>(bucket - offset_) + 1; size > counts_.size()) {
    counts_.resize(size);
  }
}

// One form for one content, so that equality and bytes on the wire are those of the values.
void Sketch::trim() noexcept {
  while (!counts_.empty() && counts_.back() == 0) counts_.pop_back();
  const auto first = std::find_if(counts_.begin(), counts_.end(), [](std::uint64_t c) { return c != 0; });
  offset_ += static_cast<int>(first - counts_.begin());
  counts_.erase(counts_.begin(), first);
  if (counts_.empty()) offset_ = 0;
}

}  // namespace kleptometrics
