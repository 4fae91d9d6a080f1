// What may be asked of the committer, and what it answers: plain values. A handler makes commands from what
// it read at the door and hands them to Committer::submit; the outcomes come back in the same order. What a
// command means, given the run as it stands, is decided by resolve.h.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/model/job.h"
#include "aggregator/model/run.h"
#include "aggregator/store/findings.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator {

// A snapshot by a reporter that keeps its own revisions: the client library, a forwarding aggregator (with the
// annotations that it knows), a verdict. Valid (model/run.h, validate).
struct ApplySnapshot {
  Run run;
};

// A run reported over plain HTTP as far as the sender gave it. What is absent (id none, revision 0,
// started_at not given) is filled in from the stored run, or made for a new one: an id, revision 1, the time
// it was submitted. With a revision it is a whole snapshot and goes by the merge order; without one, what it
// leaves out of a known run stays as it is. `run.reporter` is kHttp.
struct ReportRun {
  Run run;
  bool started_at_given = false;
};

// Fields to merge into a run. To a run owned by the client library, and to a terminal run, only labels and
// failure.message may be added, as annotations.
struct PatchRun {
  Uuid id;
  std::optional<State> state;
  std::optional<Nanos> finished_at;
  std::optional<Nanos> duration;
  std::optional<double> progress;
  std::optional<std::int32_t> exit_code;
  std::optional<FailureKind> failure_kind;
  std::optional<std::string> failure_message;  // empty, where it is an annotation: takes an earlier one back
  std::optional<int> failure_signal;
  std::map<std::string, std::string, std::less<>> labels;  // added or replaced
  std::map<std::string, double, std::less<>> counters;     // set
};

// What a job is meant to be, in place of what it was. Valid (model/job.h). A pause is no part of it: `paused_until` is
// not looked at, and stays as it is.
struct PutJob {
  std::string name;
  JobSpec spec;
};

// Until when a known job is not expected to run, in place of what was said before.
struct PauseJob {
  std::string name;
  std::optional<Nanos> until;  // kNanosEnd: until it is resumed; absent: it is resumed
};

// What the rules have found, to be kept. Its outcome has no more than a kind: rejected from `until` on (steady clock),
// as another process may have the duty of watching by then.
struct RecordFindings {
  Findings findings;
  Nanos until = std::numeric_limits<Nanos>::max();
};

// Somebody has seen the alert. Once is enough: a second one changes nothing.
struct AcknowledgeAlert {
  Uuid id;
};

// What was passed on of the list of changes goes (Store::drop_changes); `again`, of it, is to be passed on once more
// (ChangeList::put_off). Its outcome has no more than a kind.
struct DropChanges {
  std::string upto;
  std::vector<Run> again{};
};

using Command =
    std::variant<ApplySnapshot, ReportRun, PatchRun, PutJob, PauseJob, RecordFindings, AcknowledgeAlert, DropChanges>;

// What became of one command. Exactly one of the four.
struct Outcome {
  enum class Kind {
    kAccepted,
    kDuplicate,
    kRejected,  // never to be sent again as it is: `field`, `detail`
    kDeferred,  // rejected for now, worth sending again later: `field`, `detail`
  };
  Kind kind = Kind::kAccepted;
  enum class Why { kNone, kInvalid, kConflict, kNotFound } why = Why::kNone;  // of a rejection
  std::string field;
  std::string detail;
  std::optional<Run> run;      // of ReportRun and PatchRun, accepted or duplicate: the run as it now stands
  std::optional<Alert> alert;  // of AcknowledgeAlert, accepted or duplicate: the alert as it now stands
  bool created = false;        // of ReportRun and PutJob: the run, the job was unknown before
};

}  // namespace kleptometrics::aggregator
