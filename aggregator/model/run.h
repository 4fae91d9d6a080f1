// A run as every room of the aggregator knows it: a plain value, no I/O. The wire and JSON are turned into it
// at the door (aggregator/wire, aggregator/http) and checked there by validate(); inside, values are valid.
// Everything here is a value or a pure function: any thread, no clock, nothing to release.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/uuid.h"
#include "lib/sketch/sketch.h"

namespace kleptometrics::aggregator {

enum class State : std::uint8_t { kRunning = 1, kSucceeded, kFailed, kCanceled, kCrashed };
enum class FailureKind : std::uint8_t { kReported = 1, kException, kExitCode, kSignal, kLost };
// Who writes the snapshots of a run: the client library in the job's process, or this aggregator on
// behalf of plain HTTP.
enum class Reporter : std::uint8_t { kLibrary, kHttp };

// `succeeded` and so on, as the API spells them; `unknown` for a value that is no enumerator. The way back
// answers nullopt for any other spelling.
std::string_view name_of(State state);
std::string_view name_of(FailureKind kind);
std::optional<State> state_of(std::string_view name);
std::optional<FailureKind> failure_kind_of(std::string_view name);
inline bool terminal(State state) { return state != State::kRunning; }

using Labels = std::map<std::string, std::string, std::less<>>;

struct Failure {
  FailureKind kind = FailureKind::kReported;
  std::string message;
  int signal = 0;  // with kSignal
  bool operator==(const Failure&) const = default;
};

// All executions of one step, added up. Times in nanoseconds.
struct Step {
  std::string name;  // path: `load/parse`
  std::uint64_t count = 0;
  std::uint64_t failed = 0;
  std::uint64_t total = 0;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  Sketch sketch;
  bool operator==(const Step&) const = default;
};

struct Resources {
  std::optional<std::uint64_t> cpu_user;    // nanoseconds
  std::optional<std::uint64_t> cpu_system;  // nanoseconds
  std::optional<std::uint64_t> max_rss_bytes;
  std::optional<std::uint64_t> read_bytes;
  std::optional<std::uint64_t> write_bytes;
  bool operator==(const Resources&) const = default;
};

// What others than the reporter added over HTTP (PATCH). No part of the snapshot: it merges by itself, so that
// neither a later snapshot takes an addition away, nor an addition gets in the way of the reporter's own
// revisions. Readers see the two laid over each other: see effective_labels().
struct Annotations {
  std::uint64_t revision = 0;  // 0: nothing was ever added
  Labels labels{};
  std::string failure_message{};  // empty: none
  bool operator==(const Annotations&) const = default;
};

// A run as it is stored and travels: a snapshot of the whole run so far, and what was added to it. The fields
// are the snapshot's; whoever answers questions about labels or the failure asks the effective ones below.
struct Run {
  Uuid id;
  std::string job;
  State state = State::kRunning;
  std::uint64_t revision = 0;
  bool verdict = false;
  Reporter reporter = Reporter::kLibrary;
  std::uint32_t attempt = 1;
  Uuid parent_id;  // none(): no parent
  Nanos started_at = 0;
  std::optional<Nanos> scheduled_at;
  std::optional<Nanos> finished_at;
  std::optional<Nanos> duration;
  std::optional<double> progress;
  std::optional<std::int32_t> exit_code;
  std::optional<Failure> failure;
  Labels labels;
  std::map<std::string, double, std::less<>> counters;
  std::vector<Step> steps;
  Resources resources;
  std::string host;
  std::uint32_t pid = 0;
  std::string program;
  std::string version;
  std::string build_id;
  std::string boot_id;        // of the machine's boot that the pid is one of
  std::uint64_t dropped = 0;  // snapshots, of any run, that the program's client had lost by then
  Annotations annotations;
  bool operator==(const Run&) const = default;

  // Start minus schedule; negative when early; unknown without a schedule.
  std::optional<Nanos> start_delay() const {
    if (!scheduled_at) return std::nullopt;
    return started_at - *scheduled_at;
  }
};

// The labels that readers see: the snapshot's, those added afterwards in place of its own of the same key. At
// most 2 * label_count_max, though a patch adds none beyond label_count_max: a program that goes on
// labelling its run must be neither refused for an addition that was acknowledged, nor cut short by it.
Labels effective_labels(const Run& run);
// One of them; null if the run has none of this key. Points into the run.
const std::string* effective_label(const Run& run, std::string_view key);
// The failure that readers see: the snapshot's, with the message that was added afterwards in place of its
// own. A run that failed or crashed without one has then a reported one; a run that did not fail has none,
// whatever was added: the message waits for a snapshot that says it failed.
std::optional<Failure> effective_failure(const Run& run);

// First key of the merge order: running (0) < verdict (1) < the reporter's own terminal state (2).
int rank(const Run& run);

// Place of a snapshot in the merge order (run.proto) among the snapshots of the same run: the greater is the
// newer. `bytes` is the canonical serialisation (aggregator/wire, encode_snapshot: without annotations), which
// the key only points to.
struct MergeKey {
  int rank = 0;
  std::uint64_t revision = 0;
  std::string_view bytes;
  auto operator<=>(const MergeKey&) const = default;
};

// The same of annotations among those of the same run; `bytes` by encode_annotations.
struct AnnotationsKey {
  std::uint64_t revision = 0;
  std::string_view bytes;
  auto operator<=>(const AnnotationsKey&) const = default;
};

// True if the first snapshot of a run is newer than the second: the merge order of snapshots, which leaves
// annotations out.
bool supersedes(const Run& incoming, std::string_view incoming_bytes, const Run& stored, std::string_view stored_bytes);

// The value at fault and why, ready for a problem document.
struct FieldError {
  std::string field;   // as the JSON form names it
  std::string detail;  // a sentence
};

// [A-Za-z0-9][A-Za-z0-9._:-]{0,199}
bool valid_job_name(std::string_view name);

// No instant and no length of time of a valid run reaches this (the year 2261), so that the difference
// of two never overflows Nanos. (A sum of two can.)
inline constexpr Nanos kNanosEnd = 9'200'000'000'000'000'000;

// Checks everything that the limits (lib/base/limits.h) and the meaning of the fields ask of one run; nullopt
// if it is fine, else the first fault. What HTTP fills in itself (revision, the end of a terminal run) is
// asked of the library alone. A running run may carry a duration (so far) and a failure (fail() was called),
// not an end. The labels of the snapshot and the added ones are bounded each by itself, as they merge.
std::optional<FieldError> validate(const Run& run);

}  // namespace kleptometrics::aggregator
