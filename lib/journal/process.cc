#include "lib/journal/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

namespace kleptometrics::journal {
namespace {

constexpr std::size_t kMapsBytesMax = 64U << 20U;

// A file of /proc, to `bytes_max` or a little more. Empty if it cannot be read.
std::string read_proc(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string out;
  std::array<char, 4096> bytes{};
  ssize_t size = 0;
  while (out.size() < bytes_max &&
         ((size = ::read(fd, bytes.data(), bytes.size())) > 0 || (size < 0 && errno == EINTR)))
    if (size > 0) out.append(bytes.data(), static_cast<std::size_t>(size));
  ::close(fd);
  return out;
}

std::string read_small(const std::string& path) { return read_proc(path, 1); }

// Of the text after the name of the process: field `number` as proc(5) counts them, 3 is the first.
std::string_view field(std::string_view text, int number) {
  for (int i = 3;; ++i) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (i == number) return text.substr(0, end);
    text.remove_prefix(end);
  }
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// nullopt if there is no such process.
std::optional<ProcessStat> read_stat(const std::string& process) {
  const std::string text = read_small("/proc/" + process + "/stat");
  // The name may hold spaces and brackets, numbers too: what counts comes after the last bracket.
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(text).substr(bracket + 1);
  const std::string_view state = field(rest, 3);
  ProcessStat out{state.empty() ? '?' : state.front(), number(field(rest, 20)), number(field(rest, 22)), {}};
  // 0 also where it is not for us to see; but what has exited well tells nothing that would be missed.
  if (const auto status = static_cast<int>(number(field(rest, 52))); out.exited() && status != 0)
    out.wait_status = status;
  return out;
}

std::string own_boot_id() {
  std::string id = read_small("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::uint64_t own_pid_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? std::uint64_t{status.st_ino} : 0;
}

std::string own_program() {
  std::array<char, 4096> target{};
  const ssize_t size = ::readlink("/proc/self/exe", target.data(), target.size());
  std::string name(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  name.erase(0, name.rfind('/') + 1);
  constexpr std::string_view kReplaced = " (deleted)";  // the kernel's note on a program installed anew
  if (name.ends_with(kReplaced)) name.resize(name.size() - kReplaced.size());
  return name;
}

}  // namespace

Producer Producer::self() {
  Producer self;
  self.pid = static_cast<std::uint32_t>(::getpid());
  if (const auto stat = read_stat("self")) self.start_ticks = stat->start_ticks;
  self.pid_namespace = own_pid_namespace();
  self.boot_id = own_boot_id();
  self.program = own_program();
  return self;
}

std::optional<ProcessStat> process_stat(std::uint32_t pid) { return read_stat(std::to_string(pid)); }

bool maps_file(std::uint32_t pid, std::string_view name) {
  const std::string maps = read_proc("/proc/" + std::to_string(pid) + "/maps", kMapsBytesMax);
  return maps.empty() || maps.size() >= kMapsBytesMax || maps.find(name) != std::string::npos;
}

Whereabouts whereabouts(const Producer& producer) {
  if (producer.pid == 0 || producer.boot_id.empty() || producer.boot_id != own_boot_id()) return Whereabouts::kGone;
  const std::uint64_t here = own_pid_namespace();
  const bool elsewhere = producer.pid_namespace != 0 && here != 0 && producer.pid_namespace != here;
  return elsewhere ? Whereabouts::kElsewhere : Whereabouts::kHere;
}

bool is_alive(const Producer& producer, std::string_view journal_name) {
  if (whereabouts(producer) != Whereabouts::kHere) return false;
  const auto stat = process_stat(producer.pid);
  if (!stat || stat->start_ticks != producer.start_ticks) return false;
  return !stat->exited() && maps_file(producer.pid, journal_name);
}

}  // namespace kleptometrics::journal
