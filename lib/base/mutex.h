// std::mutex and std::condition_variable with the annotations that clang's -Wthread-safety checks. Shared by client and
// aggregator. Not Abseil's: a packaged Abseil is opaque to ThreadSanitizer, which then reports races that are not
// there.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define KLEPTO_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KLEPTO_THREAD_ANNOTATION(x)
#endif
#define KLEPTO_GUARDED_BY(x) KLEPTO_THREAD_ANNOTATION(guarded_by(x))
#define KLEPTO_REQUIRES(x) KLEPTO_THREAD_ANNOTATION(requires_capability(x))
#define KLEPTO_REQUIRES_SHARED(x) KLEPTO_THREAD_ANNOTATION(requires_shared_capability(x))
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

// Held by one thread that changes, or by many that look.
class KLEPTO_THREAD_ANNOTATION(capability("shared_mutex")) SharedMutex {
 public:
  void lock() KLEPTO_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() KLEPTO_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  void lock_shared() KLEPTO_THREAD_ANNOTATION(acquire_shared_capability()) { mutex_.lock_shared(); }
  void unlock_shared() KLEPTO_THREAD_ANNOTATION(release_shared_capability()) { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class KLEPTO_THREAD_ANNOTATION(scoped_lockable) ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex& mutex) KLEPTO_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~ExclusiveLock() KLEPTO_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class KLEPTO_THREAD_ANNOTATION(scoped_lockable) SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) KLEPTO_THREAD_ANNOTATION(acquire_shared_capability(mutex)) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~SharedLock() KLEPTO_THREAD_ANNOTATION(release_generic_capability()) { mutex_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
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
