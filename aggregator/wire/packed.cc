#include "aggregator/wire/packed.h"

#include <array>
#include <bit>
#include <cstring>

namespace kleptometrics::aggregator::wire {
namespace {

constexpr unsigned kWordBits = 64;
constexpr std::size_t kWordBytes = 8;

// A block with room for the word that is read or written at its last byte, and the one behind it.
constexpr std::size_t kBlockBytes = kPackedBlock * kWordBytes;
using Block = std::array<char, kBlockBytes + 2 * kWordBytes>;

std::size_t bytes_of(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

std::uint64_t in_order(std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::big) return __builtin_bswap64(word);
  return word;
}
std::uint64_t load(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, kWordBytes);
  return in_order(word);
}
void store(char* at, std::uint64_t word) {
  word = in_order(word);
  std::memcpy(at, &word, kWordBytes);
}

void pack_block(const std::uint64_t* numbers, std::size_t count, std::string& out) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < count; ++i) all |= numbers[i];
  const auto width = static_cast<unsigned>(std::bit_width(all));
  out.push_back(static_cast<char>(width));
  Block block;
  char* at = block.data();
  std::uint64_t word = 0;
  unsigned filled = 0;  // bits of the word; below 64
  for (std::size_t i = 0; i < count; ++i) {
    word |= numbers[i] << filled;
    filled += width;
    if (filled < kWordBits) continue;
    store(at, word);
    at += kWordBytes;
    filled -= kWordBits;
    word = filled == 0 ? 0 : numbers[i] >> (width - filled);
  }
  store(at, word);
  out.append(block.data(), bytes_of(count, width));
}

void unpack_block(const Block& block, unsigned width, std::size_t count, std::uint64_t* numbers) {
  const std::uint64_t mask = width == kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  for (std::size_t i = 0, bit = 0; i < count; ++i, bit += width) {
    const unsigned within = bit % 8;
    const char* at = block.data() + bit / 8;
    std::uint64_t number = load(at) >> within;
    if (within + width > kWordBits) number |= load(at + kWordBytes) << (kWordBits - within);
    numbers[i] = number & mask;
  }
}

}  // namespace

void pack(const Numbers& numbers, std::string& out) {
  for (std::size_t i = 0; i < numbers.size(); i += kPackedBlock)
    pack_block(numbers.data() + i, std::min(kPackedBlock, numbers.size() - i), out);
}

bool unpack(std::string_view bytes, std::size_t count, Numbers& numbers) {
  numbers.resize(count);
  Block block{};
  for (std::size_t i = 0; i < count; i += kPackedBlock) {
    if (bytes.empty()) return false;
    const unsigned width = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    const std::size_t here = std::min(kPackedBlock, count - i);
    const std::size_t size = bytes_of(here, width);
    if (width > kWordBits || size > bytes.size()) return false;
    std::memcpy(block.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    unpack_block(block, width, here, numbers.data() + i);
  }
  return bytes.empty();
}

}  // namespace kleptometrics::aggregator::wire
