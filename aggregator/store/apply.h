// The one rule of applying a snapshot, for every back end: whoever keeps runs asks judge() what a snapshot
// does to the run that is there. Pure; any thread.
#pragma once

#include "aggregator/model/run.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// What is known about the id of a snapshot.
struct Known {
  bool same_job = true;
  bool same_start = true;
  MergeKey key;
};

inline MergeKey merge_key(const Snapshot& snapshot) {
  return {rank(snapshot.run), snapshot.run.revision, snapshot.bytes};
}

// kAccepted: replace what is stored by the snapshot. Anything else: leave it.
inline Applied judge(const Snapshot& incoming, const Known& known) {
  if (!known.same_job) return Applied::kOtherJob;
  if (!known.same_start) return Applied::kOtherStart;
  return merge_key(incoming) > known.key ? Applied::kAccepted : Applied::kDuplicate;
}

}  // namespace kleptometrics::aggregator
