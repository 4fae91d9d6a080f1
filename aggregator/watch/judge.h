// Gives runs their verdict whose journal says nothing of them: those that were only ever pushed, by a process that has
// ended or of which nothing was heard any more. What is judged is the run as the store has it; one that has ended by
// then, or is not the client library's, is left as it is. For the spool watcher. One thread.
#pragma once

#include <vector>

#include "aggregator/ingest/committer.h"
#include "aggregator/store/store.h"
#include "aggregator/watch/verdict.h"
#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator {

class Judge {
 public:
  // Borrows all three.
  Judge(Store& store, Committer& committer, const Clock& clock) : store_(store), committer_(committer), clock_(clock) {}

  // Now, or when the store can: a run that it does not know yet may be about to be committed, and is waited for a few
  // seconds.
  void judge(const Uuid& run, const End& end);
  void retry();  // what waits, if it is time
  bool waits() const { return !waiting_.empty(); }
  Nanos retry_at() const { return retry_at_; }  // steady; if it waits

 private:
  enum class Done { kDone, kUnknown, kLater };
  Done try_one(const Uuid& id, const End& end);
  struct Waiting {
    Uuid run;
    End end;
    int tries = 0;  // for which it was unknown
  };

  Store& store_;
  Committer& committer_;
  const Clock& clock_;
  std::vector<Waiting> waiting_;
  Nanos retry_at_ = 0;
};

}  // namespace kleptometrics::aggregator
