#include "aggregator/http/guard/events.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "absl/status/status.h"

namespace kleptometrics::aggregator::http::guard {
namespace {

// Rounded up, so that a deadline has passed when the wait for it ends.
int milliseconds(Nanos timeout) {
  if (timeout < 0) return -1;
  const Nanos rounded = (std::min(timeout, 3600 * kNanosPerSecond) + 999'999) / 1'000'000;
  return static_cast<int>(rounded);
}

}  // namespace

absl::StatusOr<Events> Events::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  Events events(std::move(epoll), std::move(wake));
  epoll_event event{};
  event.events = EPOLLIN;  // and no pointer: that is how wait() knows it
  if (::epoll_ctl(events.epoll_.get(), EPOLL_CTL_ADD, events.wake_.get(), &event) != 0) {
    return absl::ErrnoToStatus(errno, "epoll_ctl");
  }
  return events;
}

bool Events::watch(int fd, std::uint32_t events, void* pointer, std::uint32_t& watched) {
  if (events == watched) return true;
  const int operation = watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = events;
  event.data.ptr = pointer;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return false;
  watched = events;
  return true;
}

int Events::wait(Nanos timeout, epoll_event (&into)[kBatchMax]) {
  const int count = ::epoll_wait(epoll_.get(), into, kBatchMax, milliseconds(timeout));
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    if (into[i].data.ptr != nullptr) {
      into[kept++] = into[i];
      continue;
    }
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &ignored, sizeof ignored);
  }
  return kept;
}

void Events::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace kleptometrics::aggregator::http::guard
