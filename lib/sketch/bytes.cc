// A sketch as bytes, format 1 (see sketch.h). LEB128: DWARF Debugging Information Format 5, section 7.6; zigzag: as in
// the encoding of Protocol Buffers.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

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
  // A token and a count of one byte each, as nearly all are, without a branch on what they are: that cannot be
  // foreseen. False, and nothing read, where they are longer or the bytes end.
  bool read_short(std::uint64_t& token, std::uint64_t& count) noexcept {
    if (end_ - at_ < 2) return false;
    const unsigned first = static_cast<std::uint8_t>(at_[0]);
    const unsigned more = first & 1U;
    const unsigned second = static_cast<std::uint8_t>(at_[1]) & (0U - more);  // 0 where there is none
    if (((first | second) & 0x80U) != 0) return false;
    token = first;
    count = 1 + more + second;
    at_ += 1 + more;
    return true;
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
  // At most `room` (> 0) buckets, up to the last that the scale has.
  explicit Counts(std::size_t room) noexcept : room_(room) {}
  // Reads to the end. False where the tokens would leave the room.
  bool read(Reader& bytes) noexcept {
    std::uint64_t token = 0;
    std::uint64_t count = 1;
    if (!bytes.read_short(token, count) && !read_long(bytes, token, count)) return false;
    if (token > 1) return false;  // no gap before the first
    put(0, count);
    while (!bytes.done()) {
      if (!bytes.read_short(token, count) && !read_long(bytes, token, count)) return false;
      if (!put(token >> 1U, count)) return false;
    }
    return true;
  }
  const std::uint64_t* begin() const noexcept { return counts_.data(); }
  const std::uint64_t* end() const noexcept { return counts_.data() + size_; }

 private:
  static constexpr std::size_t kZeroedAtOnce = 256;

  static bool read_long(Reader& bytes, std::uint64_t& token, std::uint64_t& count) noexcept {
    count = 1;
    if (!bytes.read(token)) return false;
    if ((token & 1U) == 0) return true;
    if (!bytes.read(count) || count > kCountMax - 2) return false;
    count += 2;
    return true;
  }

  bool put(std::uint64_t gap, std::uint64_t count) noexcept {
    if (gap >= room_ - size_) return false;
    size_ += gap;
    while (size_ >= zeroed_) zero_more();
    counts_[size_++] = count;
    return true;
  }

  // Ahead of the counts and many at once: how long each gap is cannot be foreseen by a processor.
  void zero_more() noexcept {
    const std::size_t end = std::min(zeroed_ + kZeroedAtOnce, counts_.size());
    std::fill(counts_.begin() + static_cast<std::ptrdiff_t>(zeroed_),
              counts_.begin() + static_cast<std::ptrdiff_t>(end), 0);
    zeroed_ = end;
  }

  std::array<std::uint64_t, Sketch::kBucketCountMax> counts_;  // the first zeroed_ are set
  std::size_t room_;
  std::size_t size_ = 0;
  std::size_t zeroed_ = 0;
};

// A run of counts that are short, as nearly all are, as tokens: which of them are 0 or 1 cannot be foreseen, so there
// is no branch on it. `gap`: empty buckets before the first, then those behind the last. Returns where the run ends.
using Position = std::vector<std::uint64_t>::const_iterator;
Position write_short(std::string& out, Position at, Position end, std::uint64_t& gap) {
  std::array<char, 256> bytes;
  std::size_t size = 0;
  std::uint64_t empty = gap;  // in a register, as the bytes might be anything to the compiler
  for (; at != end && *at < 0x82U && empty < 0x40U && size + 2 <= bytes.size(); ++at) {
    const std::uint64_t count = *at;
    const std::uint64_t some = (count + 255) >> 8U;  // count != 0, below 0x82, in a way that compilers leave alone
    const std::uint64_t more = (count + 254) >> 8U;  // count > 1
    bytes[size] = static_cast<char>(empty << 1U | more);
    bytes[size + 1] = static_cast<char>(count - 2);
    size += some + more;
    empty = (empty + 1) & (some - 1);  // 0 behind a count
  }
  out.append(bytes.data(), size);
  gap = empty;
  return at;
}

// The same of one count, whatever it is.
void write_long(std::string& out, std::uint64_t count, std::uint64_t& gap) {
  if (count == 0) {
    ++gap;
    return;
  }
  write(out, gap << 1U | (count != 1 ? 1U : 0U));
  if (count != 1) write(out, count - 2);
  gap = 0;
}

}  // namespace

void Sketch::encode_to(std::string& out) const {
  out.reserve(out.size() + kHeadBytesMax + counts_.size());
  out.push_back(kVersion);
  write(out, zigzag(scale_));
  write(out, zero_count_);
  if (counts_.empty()) return;
  write(out, zigzag(offset_));
  std::uint64_t gap = 0;
  for (Position at = counts_.begin(); at != counts_.end();) {
    at = write_short(out, at, counts_.end(), gap);
    if (at != counts_.end()) write_long(out, *at++, gap);
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
    Counts counts(static_cast<std::size_t>(bucket_max - offset + 1));
    if (!counts.read(reader)) return false;
    counts_.assign(counts.begin(), counts.end());
    offset_ = static_cast<int>(offset);
  }
  scale_ = static_cast<int>(scale);
  zero_count_ = zero_count;
  return true;
}

}  // namespace kleptometrics
