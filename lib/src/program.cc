#include "lib/src/program.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace kleptometrics::internal {
namespace {

constexpr std::size_t align4(std::size_t size) { return (size + 3U) & ~std::size_t{3}; }

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4U];
    out += digits[bytes[i] & 15U];
  }
  return out;
}

// Looks for NT_GNU_BUILD_ID in one PT_NOTE segment (ELF gABI, "Note Section").
std::string build_id_in(const unsigned char* note, std::size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, note, sizeof(head));
    const std::size_t name_at = sizeof(head);
    const std::size_t value_at = name_at + align4(head.n_namesz);
    const std::size_t next = value_at + align4(head.n_descsz);
    if (next > size) return {};
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(note + name_at, "GNU", 4) == 0)
      return hexadecimal(note + value_at, head.n_descsz);
    note += next;
    size -= next;
  }
  return {};
}

// Of the executable itself, from what the kernel told it (getauxval(3)): dl_iterate_phdr would wait for the loader's
// lock, which a thread of the parent may have held when this process was forked.
std::string executable_build_id() {
  const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(::getauxval(AT_PHDR));
  const std::size_t count = segments == nullptr ? 0 : ::getauxval(AT_PHNUM);
  std::uintptr_t base = 0;  // where address 0 of the file was loaded; stays 0 in an executable that cannot be moved
  for (std::size_t i = 0; i < count; ++i)
    if (segments[i].p_type == PT_PHDR) base = reinterpret_cast<std::uintptr_t>(segments) - segments[i].p_vaddr;
  for (std::size_t i = 0; i < count; ++i) {
    if (segments[i].p_type != PT_NOTE) continue;
    const auto* note = reinterpret_cast<const unsigned char*>(base + segments[i].p_vaddr);
    std::string id = build_id_in(note, segments[i].p_memsz);
    if (!id.empty()) return id;
  }
  return {};
}

std::string executable_name() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return {};
  const std::string_view text(path.data(), static_cast<std::size_t>(length));
  return std::string(text.substr(text.rfind('/') + 1));
}

std::string boot_id() {
  std::array<char, 64> text{};
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
  if (fd >= 0) ::close(fd);
  const std::string_view read(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  return std::string(read.substr(0, read.find('\n')));
}

std::uint64_t nanoseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_usec) * 1'000U;
}

std::optional<std::uint64_t> field(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  const char* begin = text.data() + at + name.size();
  if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

Program this_program() {
  Program program;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) program.host = host.data();
  program.name = executable_name();
  program.build_id = executable_build_id();
  program.boot_id = boot_id();
  program.pid = static_cast<std::uint32_t>(::getpid());
  return program;
}

UsageMeter::UsageMeter() noexcept : io_(::open("/proc/self/io", O_RDONLY | O_CLOEXEC)) {}

Usage UsageMeter::read() const noexcept {
  Usage usage;
  rusage totals{};
  if (::getrusage(RUSAGE_SELF, &totals) == 0) {
    usage.cpu_user_ns = nanoseconds(totals.ru_utime);
    usage.cpu_system_ns = nanoseconds(totals.ru_stime);
    usage.max_rss_bytes = static_cast<std::uint64_t>(totals.ru_maxrss) * 1024U;
  }
  std::array<char, 512> buffer{};
  const ssize_t size = io_.fd() < 0 ? -1 : ::pread(io_.fd(), buffer.data(), buffer.size(), 0);
  if (size > 0) {
    const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    usage.read_bytes = field(text, "\nread_bytes: ");
    usage.write_bytes = field(text, "\nwrite_bytes: ");
  }
  return usage;
}

}  // namespace kleptometrics::internal
