// std::mutex and std::condition_variable with the annotations that clang's -Wthread-safety checks. Shared by client and
// aggregator. Not Abseil's: a packaged Abseil is opaque to ThreadSanitizer, which then reports races that are not
// there.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define KLEPTO_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KLEPTO_THREAD_ANNOTATION(x)
#endif
#define KLEPTO_GUARDED_BY(x) KLEPTO_THREAD_ANNOTATION(guarded_by(x))
#define KLEPTO_REQUIRES(x) KLEPTO_THREAD_ANNOTATION(requires_capability(x))
#define KLEPTO_EXCLUDES(x) KLEPTO_THREAD_ANNOTATION(locks_excluded(x))

namespace kleptometrics {

class KLEPTO_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() KLEPTO_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() KLEPTO_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

class KLEPTO_THREAD_ANNOTATION(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) KLEPTO_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() KLEPTO_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// Wakes threads that wait for a change of what a Mutex guards. Waits may end early: wait in a loop. The mutex is held
// before and after.
class Condition {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }
  void wait(Mutex& mutex) KLEPTO_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // At most `time`.
  template <typename Rep, typename Period>
  void wait_for(Mutex& mutex, std::chrono::duration<Rep, Period> time) KLEPTO_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, time);
    lock.release();
  }

 private:
  std::condition_variable condition_;
};

}  // namespace kleptometrics
