#include "aggregator/http/page_token.h"

#include <cstddef>
#include <cstdint>

#include "lib/base/limits.h"

namespace kleptometrics::aggregator::http {
namespace {

// A token is the hexadecimal form of: what it is a position in, the position, four bytes of check sum.
constexpr char kRuns = 'r';
constexpr char kJobs = 'j';
constexpr std::size_t kSumBytes = 4;
constexpr std::size_t kTokenBytesMax = 2 * (1 + limits::job_name_bytes_max + kSumBytes);
constexpr std::string_view kHex = "0123456789abcdef";

std::string big_endian(std::uint64_t value, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(value >> (8 * (size - 1 - i)));
  return bytes;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8U) | static_cast<std::uint8_t>(c);
  return value;
}

// FNV-1a, 32 bits (Fowler, Noll, Vo): against typing errors, not against people.
std::string sum_of(std::string_view bytes) {
  std::uint32_t hash = 2166136261U;
  for (const char c : bytes) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
  return big_endian(hash, kSumBytes);
}

std::string seal(std::string bytes) {
  bytes += sum_of(bytes);
  std::string token;
  token.reserve(2 * bytes.size());
  for (const char c : bytes) {
    token += kHex[static_cast<std::uint8_t>(c) >> 4U];
    token += kHex[static_cast<std::uint8_t>(c) & 15U];
  }
  return token;
}

// The position, if the token is whole and of this kind.
std::optional<std::string> unseal(std::string_view token, char kind) {
  if (token.size() > kTokenBytesMax || token.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < token.size(); i += 2) {
    const std::size_t high = kHex.find(token[i]);
    const std::size_t low = kHex.find(token[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  if (bytes.size() < 1 + kSumBytes || bytes.front() != kind) return std::nullopt;
  const std::string sum = bytes.substr(bytes.size() - kSumBytes);
  bytes.resize(bytes.size() - kSumBytes);
  if (sum_of(bytes) != sum) return std::nullopt;
  return bytes.substr(1);
}

}  // namespace

std::string page_token(const RunCursor& cursor) {
  return seal(kRuns + big_endian(static_cast<std::uint64_t>(cursor.started_at), 8) + std::string(cursor.id.view()));
}

std::optional<RunCursor> run_cursor_of(std::string_view token) {
  const auto position = unseal(token, kRuns);
  if (!position || position->size() < 8) return std::nullopt;
  const auto id = Uuid::from_bytes(std::string_view(*position).substr(8));
  if (!id) return std::nullopt;
  return RunCursor{static_cast<Nanos>(from_big_endian(std::string_view(*position).substr(0, 8))), *id};
}

std::string page_token(const FindingCursor& cursor, FindingList of) {
  const std::string position = big_endian(cursor.open ? 1 : 0, 1) +
                               big_endian(static_cast<std::uint64_t>(cursor.opened_at), 8) +
                               big_endian(static_cast<std::uint64_t>(cursor.closings), 8);
  return seal(static_cast<char>(of) + position + std::string(cursor.id.view()));
}

std::optional<FindingCursor> finding_cursor_of(std::string_view token, FindingList of) {
  const auto position = unseal(token, static_cast<char>(of));
  constexpr std::size_t kBeforeId = 1 + 8 + 8;
  if (!position || position->size() < kBeforeId) return std::nullopt;
  const std::string_view bytes = *position;
  const auto id = Uuid::from_bytes(bytes.substr(kBeforeId));
  if (!id || static_cast<std::uint8_t>(bytes[0]) > 1) return std::nullopt;
  return FindingCursor{bytes[0] == 1, static_cast<Nanos>(from_big_endian(bytes.substr(1, 8))), *id,
                       static_cast<std::int64_t>(from_big_endian(bytes.substr(9, 8)))};
}

std::string page_token(std::string_view job_name) { return seal(kJobs + std::string(job_name)); }

std::optional<std::string> job_name_of(std::string_view token) {
  auto name = unseal(token, kJobs);
  if (!name || !valid_job_name(*name)) return std::nullopt;
  return name;
}

}  // namespace kleptometrics::aggregator::http
