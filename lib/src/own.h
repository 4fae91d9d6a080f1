// What the host may do to our objects from outside: fork while they change, and cancel the thread that uses them.
#pragma once

#include <pthread.h>

#include <atomic>

#include "lib/base/fork.h"

namespace kleptometrics::internal {

// A thread of the host that is cancelled (pthread_cancel) must not be so within us: that is an exception which nobody
// may catch, and it would end the host.
class NotCancelled {
 public:
  NotCancelled() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NotCancelled() { ::pthread_setcancelstate(before_, nullptr); }
  NotCancelled(const NotCancelled&) = delete;
  NotCancelled& operator=(const NotCancelled&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

// Deletes, in the process that made it. A forked child may have inherited the object while a thread of the parent was
// changing it: there it is never destroyed, and stays in a list, so that no leak checker takes it for lost. T notes the
// `generation` of the process that made it, and has room for `inherited_before`.
template <typename T>
struct DeleteOwn {
  void operator()(T* object) const noexcept {
    const NotCancelled not_cancelled;
    if (object->generation == fork_generation()) {
      delete object;
    } else {
      object->inherited_before = inherited.exchange(object);
    }
  }
  static inline std::atomic<T*> inherited{nullptr};  // the newest of them
};

}  // namespace kleptometrics::internal
