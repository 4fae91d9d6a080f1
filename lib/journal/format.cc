#include "lib/journal/format.h"

#include <algorithm>
#include <atomic>

#include "lib/journal/crc32c.h"

namespace kleptometrics::journal {
namespace {

// Offsets within a copy of the head.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kPidAt = 12;
constexpr std::size_t kFileBytesAt = 16;
constexpr std::size_t kKeyAt = 24;
constexpr std::size_t kStartTicksAt = 32;
constexpr std::size_t kPidNamespaceAt = 40;
constexpr std::size_t kBootIdAt = 48;  // text, padded with zeros
constexpr std::size_t kBootIdBytes = 64;
constexpr std::size_t kProgramAt = kBootIdAt + kBootIdBytes;
constexpr std::size_t kProgramBytes = 256;
constexpr std::size_t kDroppedAt = 1024;  // changes in place, and so is not covered

void put_text(char* at, std::size_t bytes_max, std::string_view text) noexcept {
  std::memcpy(at, text.data(), std::min(text.size(), bytes_max));
}

std::string get_text(const char* at, std::size_t bytes_max) { return {at, ::strnlen(at, bytes_max)}; }

void write_copy(const Head& head, char* out) noexcept {
  std::memset(out, 0, kHeadCopyBytes);
  std::memcpy(out, kMagic.data(), kMagic.size());
  put(out + kVersionAt, kVersion);
  put(out + kPidAt, head.producer.pid);
  put(out + kFileBytesAt, head.file_bytes);
  put(out + kKeyAt, head.key);
  put(out + kStartTicksAt, head.producer.start_ticks);
  put(out + kPidNamespaceAt, head.producer.pid_namespace);
  put_text(out + kBootIdAt, kBootIdBytes, head.producer.boot_id);
  put_text(out + kProgramAt, kProgramBytes, head.producer.program);
  put(out + kHeadCrcAt, crc32c(0, out, kHeadCrcAt));
}

std::atomic_ref<std::uint64_t> dropped_in(char* head, std::size_t copy) noexcept {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(head + copy * kHeadCopyBytes + kDroppedAt));
}

Head read_copy(const char* at) {
  Head head;
  head.producer.pid = get<std::uint32_t>(at + kPidAt);
  head.producer.start_ticks = get<std::uint64_t>(at + kStartTicksAt);
  head.producer.pid_namespace = get<std::uint64_t>(at + kPidNamespaceAt);
  head.producer.boot_id = get_text(at + kBootIdAt, kBootIdBytes);
  head.producer.program = get_text(at + kProgramAt, kProgramBytes);
  head.file_bytes = get<std::uint64_t>(at + kFileBytesAt);
  head.key = get<Key>(at + kKeyAt);
  return head;
}

// What one copy says for itself.
struct Copy {
  bool magic = false;
  bool whole = false;  // its CRC matches
  std::uint32_t version = 0;
};

Copy look_at(const char* at) noexcept {
  Copy copy;
  copy.magic = std::string_view(at, kMagic.size()) == kMagic;
  copy.whole = copy.magic && get<std::uint32_t>(at + kHeadCrcAt) == crc32c(0, at, kHeadCrcAt);
  copy.version = get<std::uint32_t>(at + kVersionAt);
  return copy;
}

// A newer build's file must be left alone, so a version is believed where its copy is whole, or where both
// copies agree on it (should the CRC have moved after all).
bool is_newer(const std::array<Copy, 2>& copies) noexcept {
  for (const Copy& copy : copies) {
    if (copy.whole && copy.version > kVersion) return true;
  }
  return copies[0].magic && copies[1].magic && copies[0].version == copies[1].version && copies[0].version > kVersion;
}

}  // namespace

void write_head(const Head& head, char* out) noexcept {
  write_copy(head, out);
  write_copy(head, out + kHeadCopyBytes);
}

void store_dropped(char* head, std::uint64_t count) noexcept {
  for (const std::size_t copy : {0U, 1U}) dropped_in(head, copy).store(little_endian(count), std::memory_order_relaxed);
}

// A kill between the two leaves the older count in the second; damage in one leaves the other, which is likely less.
std::uint64_t read_dropped(std::string_view bytes) noexcept {
  if (bytes.size() < kHeadBytes) return 0;
  return std::min(get<std::uint64_t>(bytes.data() + kDroppedAt),
                  get<std::uint64_t>(bytes.data() + kHeadCopyBytes + kDroppedAt));
}

HeadRead read_head(std::string_view bytes) {
  HeadRead read;
  std::array<Copy, 2> copies;
  for (std::size_t i = 0; i < copies.size() && bytes.size() >= (i + 1) * kHeadCopyBytes; ++i) {
    const char* at = bytes.data() + i * kHeadCopyBytes;
    copies[i] = look_at(at);
    read.keys[i] = get<Key>(at + kKeyAt);
    if (!copies[i].whole || copies[i].version != kVersion) continue;
    read.error = ReadError::kNone;
    read.head = read_copy(at);
    return read;
  }
  if (is_newer(copies)) read.error = ReadError::kNewer;
  return read;
}

std::uint32_t record_crc(Key key, const RecordHead& head, std::string_view payload) noexcept {
  char covered[24];
  put(covered, key);
  put(covered + 8, head.sequence);
  put(covered + 16, head.flags);
  put(covered + 20, head.length);
  return crc32c(crc32c(0, covered, sizeof covered), payload.data(), payload.size());
}

void write_record_head(const RecordHead& head, char* out) noexcept {
  put(out + 4, head.length);
  put(out + 8, head.sequence);
  put(out + 16, head.flags);
  put(out + 20, head.crc);
}

RecordHead read_record_head(const char* at) noexcept {
  return {get<std::uint32_t>(at), get<std::uint32_t>(at + 4), get<std::uint64_t>(at + 8), get<std::uint32_t>(at + 16),
          get<std::uint32_t>(at + 20)};
}

void store_mark(char* at, std::uint32_t mark) noexcept {
  std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(at))
      .store(little_endian(mark), std::memory_order_release);
}

}  // namespace kleptometrics::journal
