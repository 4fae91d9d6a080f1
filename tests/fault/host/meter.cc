#include "tests/fault/host/meter.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace kleptometrics::fault {
namespace {

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
constexpr unsigned long kDispatchOff = 0;
constexpr unsigned long kDispatchOn = 1;
constexpr char kAllow = 0;
constexpr char kBlock = 1;

constinit thread_local bool counting = false;
constinit thread_local Cost cost{};
constinit thread_local volatile char selector = kAllow;

// Lets the call through that it was called for, and all behind it.
void on_system_call(int, siginfo_t* info, void* context) noexcept {
  selector = kAllow;
  cost.system_calls = 1;
  cost.first_call = info->si_syscall;
#if defined(__x86_64__)
  constexpr greg_t kSyscallBytes = 2;  // of the instruction, which is done again
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] -= kSyscallBytes;
#else
  static_cast<void>(context);
#endif
}

bool dispatch(unsigned long on) noexcept {
#if defined(__x86_64__)
  return ::prctl(PR_SET_SYSCALL_USER_DISPATCH, on, 0UL, 0UL, on == kDispatchOn ? &selector : nullptr) == 0;
#else
  static_cast<void>(on);
  return false;
#endif
}

std::atomic<std::uint64_t> famine_at{0};
std::atomic<bool> famine_for_good{false};
std::atomic<std::atomic<std::uint64_t>*> famine_calls{nullptr};

bool may_allocate() noexcept {
  if (counting) ++cost.allocations;
  std::atomic<std::uint64_t>* const calls = famine_calls.load(std::memory_order_acquire);
  if (calls == nullptr) return true;
  const std::uint64_t call = calls->fetch_add(1) + 1;
  return famine_for_good ? call < famine_at : call != famine_at;
}

void* refused() noexcept {
  errno = ENOMEM;
  return nullptr;
}

void count_lock() noexcept {
  if (counting) ++cost.locks;
}

}  // namespace

bool Meter::sees_system_calls() noexcept {
  struct sigaction action {};
  action.sa_sigaction = on_system_call;
  action.sa_flags = SA_SIGINFO;
  return ::sigaction(SIGSYS, &action, nullptr) == 0 && dispatch(kDispatchOn) && dispatch(kDispatchOff);
}

void Meter::start() noexcept {
  cost = Cost{};
  dispatch(kDispatchOn);
  counting = true;
  selector = kBlock;
}

Cost Meter::stop() noexcept {
  selector = kAllow;
  counting = false;
  dispatch(kDispatchOff);
  return cost;
}

void Famine::arm(std::uint64_t at, bool for_good, std::atomic<std::uint64_t>* calls) noexcept {
  famine_at = at;
  famine_for_good = for_good;
  famine_calls.store(calls, std::memory_order_release);
}

}  // namespace kleptometrics::fault

using kleptometrics::fault::count_lock;    // NOLINT: what follows is outside by nature
using kleptometrics::fault::may_allocate;  // NOLINT
using kleptometrics::fault::refused;       // NOLINT

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) { return may_allocate() ? __libc_malloc(size) : refused(); }
void* calloc(std::size_t count, std::size_t size) { return may_allocate() ? __libc_calloc(count, size) : refused(); }
void* realloc(void* old, std::size_t size) { return may_allocate() ? __libc_realloc(old, size) : refused(); }
void* memalign(std::size_t alignment, std::size_t size) {
  return may_allocate() ? __libc_memalign(alignment, size) : refused();
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** place, std::size_t alignment, std::size_t size) {
  void* const got = memalign(alignment, size);
  if (got == nullptr) return ENOMEM;
  *place = got;
  return 0;
}

// Found when first asked for: others come before main.
#define KLEPTO_COUNTED(name, parameter, argument)                                         \
  int name(parameter) noexcept {                                                          \
    using Real = int (*)(parameter);                                                      \
    static constinit std::atomic<Real> real{nullptr};                                     \
    if (real.load() == nullptr) real = reinterpret_cast<Real>(::dlsym(RTLD_NEXT, #name)); \
    count_lock();                                                                         \
    return real.load()(argument);                                                         \
  }

KLEPTO_COUNTED(pthread_mutex_lock, pthread_mutex_t* mutex, mutex)
KLEPTO_COUNTED(pthread_mutex_trylock, pthread_mutex_t* mutex, mutex)
KLEPTO_COUNTED(pthread_rwlock_rdlock, pthread_rwlock_t* lock, lock)
KLEPTO_COUNTED(pthread_rwlock_wrlock, pthread_rwlock_t* lock, lock)
KLEPTO_COUNTED(pthread_rwlock_tryrdlock, pthread_rwlock_t* lock, lock)
KLEPTO_COUNTED(pthread_rwlock_trywrlock, pthread_rwlock_t* lock, lock)
KLEPTO_COUNTED(pthread_spin_lock, pthread_spinlock_t* lock, lock)
KLEPTO_COUNTED(pthread_spin_trylock, pthread_spinlock_t* lock, lock)
KLEPTO_COUNTED(pthread_cond_signal, pthread_cond_t* condition, condition)
KLEPTO_COUNTED(pthread_cond_broadcast, pthread_cond_t* condition, condition)

}  // extern "C"
