// An epoll set with a way to wake it from other threads: what a poller waits on.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "aggregator/base/unique_fd.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::http::guard {

// One thread, except wake(), which is for any.
class Events {
 public:
  static absl::StatusOr<Events> create();

  // Makes `fd` report the events (level-triggered; 0 takes it out) with the pointer. `watched` is what it
  // reported before and is updated. False where the kernel has no room.
  bool watch(int fd, std::uint32_t events, void* pointer, std::uint32_t& watched);

  // Waits for events, a wake() or the time given (nanoseconds; negative: for ever). Returns how many of
  // `into` were filled; a wake-up is none of them.
  static constexpr int kBatchMax = 64;
  int wait(Nanos timeout, epoll_event (&into)[kBatchMax]);

  // Any thread.
  void wake() const;

 private:
  Events(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  UniqueFd epoll_;
  UniqueFd wake_;
};

}  // namespace kleptometrics::aggregator::http::guard
