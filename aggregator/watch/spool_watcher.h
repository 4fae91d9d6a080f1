// Looks after the journals of programs that are gone: what they recorded and could not deliver is committed, and a run
// that they left open gets its verdict, crashed (adopted.h). Two looks a second at the spool directories; a journal
// whose program lives is left alone.
//
// Changes state only through the committer. A journal is removed after everything in it is committed, so
// an aggregator killed in between does the same again, to the same effect.
#pragma once

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "aggregator/ingest/committer.h"
#include "aggregator/watch/adopted.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/journal/journal.h"

namespace kleptometrics::aggregator {

class SpoolWatcher {
 public:
  // Borrows committer and clock. `spool_dir` holds journals of the user that runs the aggregator and, where that is
  // root, a sub-directory for every other user, named by uid; only files that belong to that user are taken.
  SpoolWatcher(std::string spool_dir, Committer& committer, const Clock& clock);
  ~SpoolWatcher();  // stop()

  void start();
  void stop();
  // One look at every journal; a test's way to turn the watcher by hand. Returns how many journals were adopted.
  int scan_once();

 private:
  void loop();
  int scan_directory(const std::string& directory, unsigned owner);
  bool adopt(const std::string& path, unsigned owner);
  bool commit(Adopted adopted, const journal::Producer& producer, const std::string& path);
  void complain_once(const std::string& path, const std::string& why);

  const std::string spool_dir_;
  Committer& committer_;
  const Clock& clock_;
  bool first_scan_ = true;
  std::set<std::string> complained_;  // journals whose trouble is in the log

  Mutex mutex_;
  Condition stop_;
  bool stopping_ KLEPTO_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kleptometrics::aggregator
