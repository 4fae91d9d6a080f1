// What was heard of running runs over the network, and of whom: the third and fourth way to learn of a death, beside
// the journals. A run that was pushed over the Unix socket hangs on the process at the other end (SO_PEERPIDFD, kernel
// 6.5, which knows it in whatever pid namespace it lives); every other run on a lease, which each of its snapshots
// renews: the client library sends one at least every 30 s. A run that another aggregator passed on (model/forwarded.h)
// has a long lease: that one watches over it, and what falls silent first is the way between the two.
//
// Where several aggregators share a store, a program that pushes now to the one, now to another renews with each of
// them a part of its lease only. There leases are kept by the one alone that has the duty of watching (watch_duty.h),
// and renewed by what all have committed.
//
// Filled in by the handlers of pushes, asked by the spool watcher. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "aggregator/base/unique_fd.h"
#include "aggregator/ingest/push.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator {

// Who pushes. Good while it is being answered.
struct Caller {
  std::uint32_t pid = 0;              // in our pid namespace; 0: over TCP, or its namespace is not within ours
  std::function<int()> open_pidfd{};  // -1: nobody knows. The descriptor is the caller's of this
};

class Contacts {
 public:
  struct Options {
    bool peers = true;                   // false: everything hangs on leases
    Nanos lease = 90 * kNanosPerSecond;  // three missed
    Nanos forwarded_lease = 3600 * kNanosPerSecond;
    bool by_duty = false;            // leases are kept only between on_duty() and off_duty()
    std::size_t runs_max = 100'000;  // on leases, and hanging on processes; beyond: counted, not judged
    std::size_t peers_max = 10'000;  // beyond: leases
  };

  static constexpr std::uint64_t kPeerTag = std::uint64_t{1} << 63U;
  // Borrows the clock. `boot_id` of this machine. `epoll`: where processes are added, with data that has kPeerTag in
  // it.
  Contacts(const Options& options, std::string boot_id, int epoll, const Clock& clock);

  // Snapshots of the client library among the commands, before they are committed.
  void heard(const std::vector<Command>& commands, const Caller& caller);
  // A run that is known to be open, of which nothing was heard yet.
  void expect(const Run& run);
  void expect(const Uuid& run);  // by an aggregator's own programs

  // The duty is ours: leases are kept, and those that ran out by `as_of`, up to which everything was heard, may be
  // taken until `until`. Both by the steady clock; none: not yet.
  void on_duty(Nanos as_of, Nanos until);
  // It is another's, or nobody's: what was kept by it is forgotten.
  void off_duty();
  // What was committed of a run, by whomever. While the duty is ours.
  void renew(const Run& run);

  // The process has a journal that is watched by `pidfd`, which is open until let_go(): what it pushes hangs on that.
  // `own_pid`: in its own namespace.
  void watched(std::uint32_t pid, std::uint32_t own_pid, int pidfd);
  // It has ended, or is not watched any more: runs that it has pushed and not ended.
  std::vector<Uuid> let_go(std::uint32_t pid);

  struct Ended {
    std::uint32_t pid = 0;
    std::vector<Uuid> runs;  // that it has pushed and not ended
    std::optional<int> wait_status;
  };
  // The process with that data has ended. nullopt if it is none (any more).
  std::optional<Ended> take_ended(std::uint64_t data);

  // True if a living process hangs on whose word the run is.
  bool vouched(const Uuid& run) const;

  struct Silent {
    Uuid run;
    Nanos silence = 0;   // how long nothing was heard
    bool heard = false;  // false: nothing ever was, since it is expected
    Nanos length = 0;    // of the lease
  };
  // It could not be judged: it has the lease anew.
  void keep(const Silent& silent);
  // Leases that have run out. They are gone from here.
  std::vector<Silent> take_silent();
  std::uint64_t not_kept() const;  // runs beyond the limits

 private:
  struct Process {
    std::uint64_t key = 0;
    UniqueFd own_fd;  // a peer's
    int fd = -1;      // that, or the descriptor by which its journal is watched
    std::uint32_t pid = 0;
    std::uint32_t own_pid = 0;  // 0: cannot be seen
    std::set<Uuid> runs;
  };
  using Processes = std::unordered_map<std::uint64_t, Process>;  // by epoll data: a pid, or an identity, tagged

  void hear_running(const Run& run, Process* process) KLEPTO_REQUIRES(mutex_);
  void hear_ended(const Uuid& run) KLEPTO_REQUIRES(mutex_);
  Nanos length_for(const Run& run) const;
  void lease(const Uuid& run, Nanos length, bool heard) KLEPTO_REQUIRES(mutex_);
  Process* process_of(const Caller& caller) KLEPTO_REQUIRES(mutex_);
  std::vector<Uuid> release(Processes::iterator process) KLEPTO_REQUIRES(mutex_);
  Process* introduce(std::uint64_t key, std::uint32_t pid, UniqueFd fd) KLEPTO_REQUIRES(mutex_);

  const Options options_;
  const std::string boot_id_;
  const int epoll_;
  const Clock& clock_;

  mutable Mutex mutex_;
  struct Lease {
    Nanos since = 0;  // steady
    Nanos length = 0;
    bool heard = false;
  };
  std::map<Uuid, Lease> leases_ KLEPTO_GUARDED_BY(mutex_);
  std::map<Uuid, std::uint64_t> owners_ KLEPTO_GUARDED_BY(mutex_);  // of the runs that hang on a process
  Processes processes_ KLEPTO_GUARDED_BY(mutex_);
  std::uint64_t not_kept_ KLEPTO_GUARDED_BY(mutex_) = 0;
  bool on_duty_ KLEPTO_GUARDED_BY(mutex_) = false;
  Nanos as_of_ KLEPTO_GUARDED_BY(mutex_) = 0, until_ KLEPTO_GUARDED_BY(mutex_) = 0;
};

}  // namespace kleptometrics::aggregator
