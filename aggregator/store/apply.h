// The one rule of applying a run, for every back end: whoever keeps runs asks judge() which parts of what is
// there are replaced by those that come in. The snapshot and the annotations of a run merge apart (run.proto),
// so a back end that keeps their bytes apart replaces one or the other and never decodes what it has. Pure; any
// thread.
#pragma once

#include "aggregator/model/run.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// What is known about the id of a run that comes in.
struct Known {
  bool same_job = true;
  bool same_start = true;
  MergeKey snapshot;
  AnnotationsKey annotations;
};

// What is to be done: replace the parts that are true, leave the others.
struct Judgement {
  Applied applied = Applied::kDuplicate;
  bool snapshot = false;
  bool annotations = false;
};

inline MergeKey merge_key(const Snapshot& snapshot) {
  return {rank(snapshot.run), snapshot.run.revision, snapshot.bytes};
}

inline AnnotationsKey annotations_key(const Snapshot& snapshot) {
  return {snapshot.run.annotations.revision, snapshot.annotation_bytes};
}

inline Judgement judge(const Snapshot& incoming, const Known& known) {
  if (!known.same_job) return {Applied::kOtherJob};
  if (!known.same_start) return {Applied::kOtherStart};
  const bool snapshot = merge_key(incoming) > known.snapshot;
  const bool annotations = annotations_key(incoming) > known.annotations;
  return {snapshot || annotations ? Applied::kAccepted : Applied::kDuplicate, snapshot, annotations};
}

inline Judgement judge(const Snapshot& incoming, const Snapshot& stored) {
  return judge(incoming, {stored.run.job == incoming.run.job, stored.run.started_at == incoming.run.started_at,
                          merge_key(stored), annotations_key(stored)});
}

// What is stored afterwards, for one who has all of it at hand.
inline Snapshot merged(const Snapshot& incoming, const Snapshot& stored, const Judgement& judgement) {
  Snapshot result = judgement.snapshot ? incoming : stored;
  const Snapshot& annotated = judgement.annotations ? incoming : stored;
  result.run.annotations = annotated.run.annotations;
  result.annotation_bytes = annotated.annotation_bytes;
  return result;
}

}  // namespace kleptometrics::aggregator
