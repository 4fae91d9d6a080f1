#include "lib/journal/crc32c.h"

#include <array>
#include <atomic>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace kleptometrics::journal {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// Slicing by 8 (Kounavis, Berry 2005): tables[k][b] is the CRC of byte b followed by k zero bytes.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8U) ^ tables[0][before & 255U];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

std::uint32_t le32(const unsigned char* at) noexcept {
  return at[0] | static_cast<std::uint32_t>(at[1]) << 8U | static_cast<std::uint32_t>(at[2]) << 16U |
         static_cast<std::uint32_t>(at[3]) << 24U;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_processor(std::uint32_t crc, const void* data,
                                                                    std::size_t size) noexcept {
  const auto* at = static_cast<const unsigned char*>(data);
  std::uint64_t state = ~crc;
  for (; size >= 8; size -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto rest = static_cast<std::uint32_t>(state);
  for (; size > 0; --size, ++at) rest = _mm_crc32_u8(rest, *at);
  return ~rest;
}
#endif

using Function = std::uint32_t (*)(std::uint32_t, const void*, std::size_t) noexcept;

Function fastest() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();  // a job may record before the static objects of the C runtime are made
  if (__builtin_cpu_supports("sse4.2")) return crc32c_by_processor;
#endif
  return crc32c_by_tables;
}

}  // namespace

std::uint32_t crc32c_by_tables(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* at = static_cast<const unsigned char*>(data);
  std::uint32_t state = ~crc;
  for (; size >= 8; size -= 8, at += 8) {
    const std::uint32_t low = state ^ le32(at);
    const std::uint32_t high = le32(at + 4);
    state = kTables[7][low & 255U] ^ kTables[6][(low >> 8U) & 255U] ^ kTables[5][(low >> 16U) & 255U] ^
            kTables[4][low >> 24U] ^ kTables[3][high & 255U] ^ kTables[2][(high >> 8U) & 255U] ^
            kTables[1][(high >> 16U) & 255U] ^ kTables[0][high >> 24U];
  }
  for (; size > 0; --size, ++at) state = (state >> 8U) ^ kTables[0][(state ^ *at) & 255U];
  return ~state;
}

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  static std::atomic<Function> chosen{nullptr};  // not a guarded static: its guard could be held at a fork
  Function function = chosen.load(std::memory_order_relaxed);
  if (function == nullptr) chosen.store(function = fastest(), std::memory_order_relaxed);
  return function(crc, data, size);
}

}  // namespace kleptometrics::journal
