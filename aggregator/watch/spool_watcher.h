// Sees programs die, without a heartbeat, and takes care of what they leave: the journal is adopted (adopter.h), and a
// run that is still open then gets its verdict, crashed (verdict.h). It learns of a death on several ways, the best
// that there is for each program:
//
//   pidfd   a program whose journal is in the spool, and that can be named by a pid of ours: by a descriptor of its
//           process, checked against boot id and start ticks. Also a program in a pid namespace within ours: its pid
//           is that of who holds the journal's lock.
//   file    any program whose journal is in the spool: when it ends, or calls exec, its file is let go of, which
//           inotify tells. What then counts is the lock on the file, across pid namespaces; and the mapping of it.
//   peer    a program that pushes over the Unix socket, wherever it lives and whether it has a journal or not: by a
//           descriptor of the process at the other end (contacts.h).
//   lease   everything else: programs on other machines. Each snapshot renews it; when none comes for that long, the
//           verdict says that contact was lost, not that the program was killed. Of a store that is shared only the
//           aggregator that has the duty judges so (watch_duty.h); the other ways are each aggregator's own.
//
// The spool directories are watched by inotify, everything in one epoll loop: no CPU is used while nothing happens, but
// for a look at everything once in half a minute, which finds what an event may have missed, and leases that ran out.
// Only the client library's runs are judged: a process that reports by plain HTTP says nothing of its run by ending.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "aggregator/base/unique_fd.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/store/store.h"
#include "aggregator/watch/adopter.h"
#include "aggregator/watch/contacts.h"
#include "aggregator/watch/judge.h"
#include "aggregator/watch/spool_events.h"
#include "lib/base/clock.h"
#include "lib/journal/journal.h"

namespace kleptometrics::aggregator {

struct WatchOptions {
  // Ways that may be taken; a test forces one by closing the others. Leases are always there.
  bool pidfds = true, files = true, peers = true;
  Nanos lease = 90 * kNanosPerSecond;
  Nanos forwarded_lease = 3600 * kNanosPerSecond;  // of runs that another aggregator passed on
  Nanos look_every = 30 * kNanosPerSecond;
  std::size_t pidfds_max = 10'000;  // programs beyond it are counted, and seen by the other ways
};

class SpoolWatcher {
 public:
  // Borrows store, committer and clock. `spool_dir` holds journals of the user that runs the aggregator and, where that
  // is root, a sub-directory for every other user, named by uid; only files that belong to that user are taken. Empty:
  // no spool.
  SpoolWatcher(std::string spool_dir, Store& store, Committer& committer, const Clock& clock,
               const WatchOptions& options = {});
  ~SpoolWatcher();  // stop()

  // Adopts what the spool has, tells what programs that live have recorded there, delivered or not, puts the runs that
  // the store has open on leases, and only then starts the thread.
  void start(absl::FunctionRef<void(std::vector<Run>)> living = [](std::vector<Run>) {});
  void stop();

  // What the handler of a push tells: snapshots about to be committed, and of whom. Any thread.
  void heard(const std::vector<Command>& commands, const Caller& caller) { contacts_.heard(commands, caller); }

  // Of a shared store, by the duty's thread: the leases are ours from now on, beginning with the runs that the store
  // has open; what was committed since, and up to when that was all (Contacts::on_duty); and they are not any more.
  absl::Status begin_duty();
  void committed(const Run& run) { contacts_.renew(run); }
  void on_duty(Nanos as_of, Nanos until) { contacts_.on_duty(as_of, until); }
  void end_duty() { contacts_.off_duty(); }

  // By hand, instead of start(). One look at every journal, and at what is due; how many journals were adopted.
  int scan_once();
  // Waits for events, at most `timeout_ms` (-1: until there is one); how many journals were adopted for them.
  int turn(int timeout_ms);

  // Programs whose process is watched by a pidfd. Not beside a running thread, as the two above.
  std::size_t watched() const { return by_tag_.size(); }

 private:
  // A journal whose program lives, or that cannot be adopted now.
  struct Known {
    unsigned owner = 0;
    std::uint32_t pid = 0;      // of its program in our pid namespace; 0: unknown
    std::uint32_t own_pid = 0;  // in its own
    UniqueFd pidfd;
    std::uint64_t tag = 0;     // of the pidfd among events
    std::optional<End> end{};  // since it was found dead
    Nanos not_before = 0;      // steady: of the next try
  };
  using Journals = std::map<std::string, Known>;  // by path

  void loop();
  int wait_ms() const;
  int act_on_files();
  int act_on_process(std::uint64_t tag);
  int act_on_peer(std::uint64_t data);
  int retry();
  void look_at_leases();
  int scan_directory(const std::string& directory, unsigned owner);
  int scan_users();
  void forget_missing();

  int look_at(const std::string& path, unsigned owner);
  int drain_journals_of(const std::vector<Uuid>& runs, const End& end);
  std::optional<End> end_of(const Known& known, const journal::Glimpse& glimpse, const std::string& path) const;
  bool vouched_for(const std::string& path, unsigned owner) const;
  void count_unwatched();
  void watch_program(Journals::iterator known, const journal::Glimpse& glimpse);
  int adopt(Journals::iterator known);
  void forget(Journals::iterator known);

  bool has_living_journal(const Run& run) const;
  absl::Status expect_open_runs();

  const std::string spool_dir_;
  Store& store_;
  const Clock& clock_;
  const WatchOptions options_;
  const journal::Producer self_;  // this process
  Adopter adopter_;
  Judge judge_;
  UniqueFd epoll_, wake_;
  SpoolEvents events_;
  Contacts contacts_;

  Journals journals_;
  std::unordered_map<std::uint64_t, std::string> by_tag_;  // paths of journals with a pidfd
  std::uint64_t last_tag_ = 1;
  std::uint64_t unwatched_ = 0;  // programs for which there was no pidfd to be had
  bool first_scan_ = true;
  bool scan_soon_ = false;  // an event may have been missed, or the spool is not there
  Nanos scanned_at_ = 0;    // steady

  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
