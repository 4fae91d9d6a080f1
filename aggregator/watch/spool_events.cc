#include "aggregator/watch/spool_events.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace kleptometrics::aggregator {
namespace {

// Journals come by rename. What else is made is no concern of ours, but for directories.
constexpr std::uint32_t kMask = IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF |
                                IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;
constexpr std::size_t kBufferBytes = 64U << 10U;

std::optional<SpoolEvents::Event::Kind> kind_of(std::uint32_t mask) {
  using Kind = SpoolEvents::Event::Kind;
  if ((mask & IN_ISDIR) != 0)
    return (mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? std::optional(Kind::kDirectory) : std::nullopt;
  if ((mask & IN_MOVED_TO) != 0) return Kind::kCame;
  if ((mask & IN_CLOSE_WRITE) != 0) return Kind::kLetGo;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return Kind::kWent;
  return std::nullopt;
}

}  // namespace

SpoolEvents::SpoolEvents() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

bool SpoolEvents::watch(const std::string& directory) {
  const int watch = ::inotify_add_watch(fd_.get(), directory.c_str(), kMask);
  if (watch < 0) return false;
  directories_.insert_or_assign(watch, directory);
  return true;
}

bool SpoolEvents::take(std::vector<Event>& events) {
  std::vector<char> buffer(kBufferBytes);
  bool whole = true;
  for (;;) {
    const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return whole;
    whole = take_some(buffer.data(), static_cast<std::size_t>(size), events) && whole;
  }
}

bool SpoolEvents::take_some(const char* bytes, std::size_t size, std::vector<Event>& events) {
  bool whole = true;
  for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event{};
    std::memcpy(&event, bytes + at, sizeof event);
    const char* const name = bytes + at + sizeof event;
    at += sizeof event + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) whole = false;
    const auto directory = directories_.find(event.wd);
    if (directory == directories_.end()) continue;
    if ((event.mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(fd_.get(), event.wd);  // it has another name now
    if ((event.mask & IN_IGNORED) != 0) {
      directories_.erase(directory);
      whole = false;
      continue;
    }
    const auto kind = kind_of(event.mask);
    if (kind && event.len != 0)
      events.push_back({*kind, directory->second, std::string(name, ::strnlen(name, event.len))});
  }
  return whole;
}

}  // namespace kleptometrics::aggregator
