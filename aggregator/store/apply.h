// The one rule of applying a run, for every back end: whoever keeps runs asks judge() which parts of what is there are
// replaced by those that come in. The snapshot and the annotations of a run merge apart (run.proto). Pure; any thread.
#pragma once

#include <compare>
#include <tuple>

#include "aggregator/model/run.h"
#include "aggregator/store/store.h"
#include "aggregator/wire/wire.h"

namespace kleptometrics::aggregator {

// What is to be done: replace the parts that are true, leave the others.
struct Judgement {
  Applied applied = Applied::kDuplicate;
  bool snapshot = false;
  bool annotations = false;
};

// The last keys of the merge orders, the canonical bytes, are made only where the others are equal.
inline bool newer_snapshot(const Run& incoming, const Run& stored) {
  const auto ours = std::make_tuple(rank(incoming), incoming.revision);
  const auto theirs = std::make_tuple(rank(stored), stored.revision);
  if (ours != theirs) return ours > theirs;
  return wire::encode_snapshot(incoming) > wire::encode_snapshot(stored);
}

inline bool newer_annotations(const Annotations& incoming, const Annotations& stored) {
  if (incoming.revision != stored.revision) return incoming.revision > stored.revision;
  return wire::encode_annotations(incoming) > wire::encode_annotations(stored);
}

inline Judgement judge(const Run& incoming, const Run& stored) {
  if (incoming.job != stored.job) return {Applied::kOtherJob};
  if (incoming.started_at != stored.started_at) return {Applied::kOtherStart};
  const bool snapshot = newer_snapshot(incoming, stored);
  const bool annotations = newer_annotations(incoming.annotations, stored.annotations);
  return {snapshot || annotations ? Applied::kAccepted : Applied::kDuplicate, snapshot, annotations};
}

// What is stored afterwards.
inline Run merged(Run incoming, const Run& stored, const Judgement& judgement) {
  if (!judgement.annotations) incoming.annotations = stored.annotations;
  if (judgement.snapshot) return incoming;
  Run result = stored;
  result.annotations = std::move(incoming.annotations);
  return result;
}

}  // namespace kleptometrics::aggregator
