// Where runs are kept. One interface, every back end a leaf folder: deleting its folder and its line in
// open_store.cc removes it. The contract is semantic, not relational, and tests/aggregator/store/ proves
// it for every back end.
//
// commit() is called by one thread (the committer); everything else by any thread at any time.
// A reader sees all of a commit or nothing of it, and everything that was acknowledged before it asked.
//
// Errors, everywhere: Unavailable = worth a retry (busy, disk full: nothing was changed); DataLoss and
// Internal = the store cannot go on (after a failed fsync nothing is retried: exit and recover);
// FailedPrecondition = cannot be opened by this build (newer schema). Of run() alone: Unknown = what is stored of this
// run is damaged, of others it is not; lists leave such runs out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator {

// One run on its way into the store, valid, with the canonical bytes of the two parts that merge apart: its
// snapshot (wire::encode_snapshot) and what was added to it (wire::encode_annotations; mostly nothing).
struct Snapshot {
  Run run;
  std::string bytes;
  std::string annotation_bytes{};
};
Snapshot snapshot_of(Run run);

enum class Applied {
  kAccepted,    // the stored state changed: the snapshot, the annotations, or both are newer
  kDuplicate,   // it did not: a repeat, or older
  kOtherJob,    // rejected: the id is known under another job
  kOtherStart,  // rejected: the id is known with another started_at
};

// Which runs a question is about. Empty members select everything; name the others: {.job = "import"}.
struct RunFilter {
  std::string job{};
  std::vector<State> states{};
  std::optional<Nanos> since{};  // started_at >= since
  std::optional<Nanos> until{};  // started_at < until
  std::string host{};
  std::string version{};
  std::string build_id{};
  std::vector<std::pair<std::string, std::string>> labels{};  // all must match
};
// True if the run is among those that the filter selects. Labels are the effective ones (model/run.h).
bool matches(const RunFilter& filter, const Run& run);

// Position in the order of lists: newest start first, larger id first among equal starts.
struct RunCursor {
  Nanos started_at = 0;
  Uuid id;
  bool operator==(const RunCursor&) const = default;
};
struct RunPage {
  std::vector<Run> runs;
  std::optional<RunCursor> next;  // position after the last of `runs`; absent when nothing is left
};

class Store {
 public:
  virtual ~Store() = default;

  // Applies the snapshots in order, all in one transaction, each by the merge orders of its two parts and at
  // most once whoever resends it to whomever. On OK everything is durable (to the degree of the back end) and visible,
  // and the answer has one entry a snapshot. On an error nothing was applied.
  virtual absl::StatusOr<std::vector<Applied>> commit(absl::Span<const Snapshot> snapshots) = 0;

  virtual absl::StatusOr<std::optional<Run>> run(const Uuid& id) = 0;
  // At most `limit` runs after `after` (absent: from the newest). Stable while new runs arrive: what is
  // listed once is not listed again, and what was there before is not left out. InvalidArgument if `limit` is
  // 0.
  virtual absl::StatusOr<RunPage> runs(const RunFilter& filter, const std::optional<RunCursor>& after,
                                       std::size_t limit) = 0;
  // Calls `visit` with every run of the filter, in no particular order. One consistent view, which is held
  // open meanwhile: `visit` is to be quick and not to call this store.
  virtual absl::Status scan(const RunFilter& filter, absl::FunctionRef<void(const Run&)> visit) = 0;
  // Names of all jobs, sorted bytewise.
  virtual absl::StatusOr<std::vector<std::string>> jobs() = 0;
  // OK, or why commits cannot work right now. Becomes OK again by itself where the cause can pass.
  virtual absl::Status ready() = 0;
};

// Opens the store that the URL names: `memory:` or `sqlite:PATH` (made if absent; its folder must exist).
// InvalidArgument names what is wrong with the URL; FailedPrecondition: the file is no store of this build,
// or another process has it open; PermissionDenied and others: what the system said.
absl::StatusOr<std::unique_ptr<Store>> open_store(std::string_view url);

}  // namespace kleptometrics::aggregator
