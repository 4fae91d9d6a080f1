// A sketch as bytes, format 1 (see sketch.h). LEB128: DWARF Debugging Information Format 5, section 7.6; zigzag: as in
// the encoding of Protocol Buffers.
#include <algorithm>
#include <array>
#include <limits>

#include "lib/sketch/sketch.h"

namespace kleptometrics {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHeadBytesMax = 1 + 10 + 10 + 10;
constexpr std::uint64_t kCountMax = std::numeric_limits<std::uint64_t>::max();

std::uint64_t zigzag(int value) noexcept {
  const auto twice = static_cast<std::uint64_t>(std::int64_t{value}) << 1U;
  return value < 0 ? ~twice : twice;
}

std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>((value >> 1U) ^ (0 - (value & 1U)));
}

void write(std::string& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
}

// Reads from the front of bytes; each read is false where they end or spell the number longer than needed.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool done() const noexcept { return at_ == end_; }
  bool read_version() noexcept { return !done() && *at_++ == kVersion; }
  bool read(std::uint64_t& value) noexcept {
    if (done()) return false;
    value = static_cast<std::uint8_t>(*at_++);
    return value < 0x80U || read_rest(value);
  }
  bool read_signed(std::int64_t& value) noexcept {
    std::uint64_t raw = 0;
    if (!read(raw)) return false;
    value = unzigzag(raw);
    return true;
  }

 private:
  bool read_rest(std::uint64_t& value) noexcept {
    value &= 0x7fU;
    for (unsigned shift = 7; !done(); shift += 7) {
      const std::uint64_t byte = static_cast<std::uint8_t>(*at_++);
      if (shift == 63 && byte > 1) return false;
      value |= (byte & 0x7fU) << shift;
      if (byte < 0x80U) return byte != 0;
    }
    return false;
  }

  const char* at_;
  const char* end_;
};

// Counts as they come, at most all that a sketch can have: no memory is taken before the bytes are known to be fine.
class Counts {
 public:
  // Reads to the end. False where the tokens would leave the `room` buckets that there are.
  bool read(Reader& bytes, std::size_t room) noexcept {
    std::uint64_t token = 0;
    if (!bytes.read(token) || token > 1) return false;  // no gap before the first
    if (room == 0 || !read_count(bytes, token)) return false;
    while (!bytes.done()) {
      if (!bytes.read(token)) return false;
      const std::uint64_t gap = token >> 1U;
      if (gap >= room - size_) return false;
      for (std::uint64_t i = 0; i < gap; ++i) counts_[size_++] = 0;
      if (!read_count(bytes, token)) return false;
    }
    return true;
  }
  const std::uint64_t* begin() const noexcept { return counts_.data(); }
  const std::uint64_t* end() const noexcept { return counts_.data() + size_; }

 private:
  bool read_count(Reader& bytes, std::uint64_t token) noexcept {
    std::uint64_t count = 1;
    if ((token & 1U) != 0) {
      if (!bytes.read(count) || count > kCountMax - 2) return false;
      count += 2;
    }
    counts_[size_++] = count;
    return true;
  }

  std::array<std::uint64_t, Sketch::kBucketCountMax> counts_;  // the first size_ are set
  std::size_t size_ = 0;
};

}  // namespace

void Sketch::encode_to(std::string& out) const {
  out.reserve(out.size() + kHeadBytesMax + counts_.size());
  out.push_back(kVersion);
  write(out, zigzag(scale_));
  write(out, zero_count_);
  if (counts_.empty()) return;
  write(out, zigzag(offset_));
  std::uint64_t gap = 0;
  for (const std::uint64_t count : counts_) {
    if (count == 0) {
      ++gap;
      continue;
    }
    write(out, gap << 1U | (count != 1 ? 1U : 0U));
    if (count != 1) write(out, count - 2);
    gap = 0;
  }
}

std::string Sketch::encode() const {
  std::string out;
  encode_to(out);
  return out;
}

bool Sketch::decode(std::string_view bytes) {
  scale_ = kScale;
  offset_ = 0;
  zero_count_ = 0;
  counts_.clear();
  Reader reader(bytes);
  std::int64_t scale = 0;
  std::uint64_t zero_count = 0;
  if (!reader.read_version() || !reader.read_signed(scale) || scale < kScaleMin || scale > kScale) return false;
  if (!reader.read(zero_count)) return false;
  if (!reader.done()) {
    const std::int64_t bucket_max = kBucketMax >> (kScale - scale);
    std::int64_t offset = 0;
    if (!reader.read_signed(offset) || offset < kBucketMin || offset > bucket_max) return false;
    Counts counts;
    if (!counts.read(reader, static_cast<std::size_t>(bucket_max - offset + 1))) return false;
    counts_.assign(counts.begin(), counts.end());
    offset_ = static_cast<int>(offset);
  }
  scale_ = static_cast<int>(scale);
  zero_count_ = zero_count;
  return true;
}

}  // namespace kleptometrics
