#include "lib/base/uuid.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace kleptometrics {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

constexpr bool hyphen_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Fills from the kernel. Where that fails (an old kernel, a sandbox that forbids it) from the clock, the
// pid and a counter: unique on this machine, though no longer hard to guess.
void fill_random(std::uint8_t* out, std::size_t size) noexcept {
  if (::getrandom(out, size, GRND_NONBLOCK) == static_cast<ssize_t>(size)) return;
  static std::atomic<std::uint64_t> counter{0};
  std::uint64_t state = static_cast<std::uint64_t>(system_clock().now().steady) ^
                        (static_cast<std::uint64_t>(::getpid()) << 40U) ^
                        (counter.fetch_add(1) * 0x9e3779b97f4a7c15ULL);
  for (std::size_t i = 0; i < size; ++i) {  // splitmix64 (Steele, Lea, Flood 2014)
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    out[i] = static_cast<std::uint8_t>(z >> 56U);
  }
}

}  // namespace

std::string Uuid::text() const {
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (hyphen_before(i)) out += '-';
    out += kHex[bytes[i] >> 4U];
    out += kHex[bytes[i] & 15U];
  }
  return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (hyphen_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  return id;
}

std::optional<Uuid> Uuid::from_bytes(std::string_view bytes) noexcept {
  Uuid id;
  if (bytes.size() != id.bytes.size()) return std::nullopt;
  std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

Uuid Uuid::make_v7(Nanos wall) noexcept {
  Uuid id;
  fill_random(id.bytes.data(), id.bytes.size());
  const auto millis = static_cast<std::uint64_t>(std::max<Nanos>(wall, 0) / 1'000'000);
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(millis >> (40U - 8U * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70U | (id.bytes[6] & 0x0fU));
  id.bytes[8] = static_cast<std::uint8_t>(0x80U | (id.bytes[8] & 0x3fU));
  return id;
}

}  // namespace kleptometrics
