#include "aggregator/ingest/resolve.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "aggregator/wire/wire.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator {
namespace {

using Why = Outcome::Why;

Outcome conflict(std::string field, std::string detail) {
  return reject(Why::kConflict, std::move(field), std::move(detail));
}

Outcome duplicate(const Run& stored) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kDuplicate;
  outcome.run = stored;
  return outcome;
}

// What is at fault in `run`, if anything.
std::optional<Outcome> fault_of(const Run& run) {
  auto error = validate(run);
  if (!error) return std::nullopt;
  return reject(Why::kInvalid, std::move(error->field), std::move(error->detail));
}

// Valid times lie below kNanosEnd: a sum may not fit, but then it is not valid either.
Nanos plus(Nanos instant, Nanos length) {
  const Nanos room = std::numeric_limits<Nanos>::max() - instant;
  return length <= room ? instant + length : std::numeric_limits<Nanos>::max();
}

// Whatever of its end a terminal run does not say. Its times are valid. The wall clock may have stepped back
// since the start: an end that is filled in is never before it.
void fill_end(Run& run, Nanos now) {
  if (!terminal(run.state)) return;
  if (!run.finished_at) {
    run.finished_at = std::max(run.started_at, run.duration ? plus(run.started_at, *run.duration) : now);
  }
  if (!run.duration) run.duration = *run.finished_at - run.started_at;
  if (run.state == State::kFailed && !run.failure && run.exit_code.value_or(0) != 0) {
    run.failure = Failure{FailureKind::kExitCode, {}, 0};
  }
}

// The run to commit, if it is valid.
Outcome accept(Run run) {
  if (auto fault = fault_of(run)) return *std::move(fault);
  Outcome outcome;
  outcome.run = std::move(run);
  return outcome;
}

// Gives `revision` the next one; or why there is none.
std::optional<Outcome> advance(std::uint64_t& revision, const std::string& field) {
  if (revision == std::numeric_limits<std::uint64_t>::max()) {
    return conflict(field, "the run has the highest revision there is; it cannot change any more");
  }
  ++revision;
  return std::nullopt;
}

// accept() with its end filled in; valid before the arithmetic of that, and after.
Outcome settle(Run run, Nanos now) {
  if (auto fault = fault_of(run)) return *std::move(fault);
  fill_end(run, now);
  return accept(std::move(run));
}

// An aggregator concluded how the run ended; its reporter now says so itself. What the verdict guessed goes.
bool overrules(State said, const Run& stored) { return stored.verdict && terminal(said); }

Run without_verdict(Run run) {
  run.state = State::kRunning;
  run.verdict = false;
  run.finished_at.reset();
  run.duration.reset();
  run.failure.reset();
  return run;
}

template <typename Value>
void fill(std::optional<Value>& value, const std::optional<Value>& stored) {
  if (!value) value = stored;
}
void fill(std::string& value, const std::string& stored) {
  if (value.empty()) value = stored;
}

// The end of a run that has ended stays, unless the sender gives another.
void keep_end(Run& run, const Run& stored) {
  const bool other_finish = run.finished_at && run.finished_at != stored.finished_at;
  const bool other_duration = run.duration && run.duration != stored.duration;
  if (other_finish || other_duration) return;
  run.finished_at = stored.finished_at;
  run.duration = stored.duration;
}

void keep_failure(Run& run, const Run& stored) {
  if (!run.failure) {
    // Said while it ran, then it succeeded all the same.
    if (run.state == State::kSucceeded && !terminal(stored.state)) return;
    run.failure = stored.failure;
  } else if (stored.failure) {
    fill(run.failure->message, stored.failure->message);
  }
}

void keep_resources(Resources& used, const Resources& stored) {
  fill(used.cpu_user, stored.cpu_user);
  fill(used.cpu_system, stored.cpu_system);
  fill(used.max_rss_bytes, stored.max_rss_bytes);
  fill(used.read_bytes, stored.read_bytes);
  fill(used.write_bytes, stored.write_bytes);
}

void keep_program(Run& run, const Run& stored) {
  fill(run.host, stored.host);
  if (run.pid == 0) run.pid = stored.pid;
  fill(run.program, stored.program);
  fill(run.version, stored.version);
  fill(run.build_id, stored.build_id);
  fill(run.boot_id, stored.boot_id);
  if (run.dropped == 0) run.dropped = stored.dropped;
}

// `run`, with everything that it leaves out as it is in `stored`.
Run filled(Run run, const Run& stored) {
  run.started_at = stored.started_at;
  if (run.attempt == 1) run.attempt = stored.attempt;  // 1 is what a sender that says nothing has
  if (run.parent_id.none()) run.parent_id = stored.parent_id;
  fill(run.scheduled_at, stored.scheduled_at);
  if (terminal(run.state) == terminal(stored.state)) keep_end(run, stored);
  fill(run.progress, stored.progress);
  fill(run.exit_code, stored.exit_code);
  keep_failure(run, stored);
  run.labels.insert(stored.labels.begin(), stored.labels.end());
  run.counters.insert(stored.counters.begin(), stored.counters.end());
  if (run.steps.empty()) run.steps = stored.steps;
  keep_resources(run.resources, stored.resources);
  keep_program(run, stored);
  return run;
}

// When a run began of which only the end may be known.
Nanos start_of(const Run& run, Nanos now) {
  if (!terminal(run.state)) return now;
  return run.finished_at.value_or(now) - run.duration.value_or(0);
}

Outcome report_new(Run run, bool started_at_given, Nanos now) {
  if (run.revision == 0) run.revision = 1;
  if (!started_at_given) run.started_at = start_of(run, now);
  Outcome outcome = settle(std::move(run), now);
  outcome.created = outcome.kind == Outcome::Kind::kAccepted;
  return outcome;
}

// What readers see, in the place of a snapshot.
Run effective(Run run) {
  run.labels = effective_labels(run);
  run.failure = effective_failure(run);
  run.annotations = {};
  return run;
}

// The sender keeps revisions: a whole snapshot.
Outcome report_revision(Run run, const Run& stored, Nanos now) {
  run.started_at = stored.started_at;
  if (terminal(run.state) && rank(run) == rank(stored)) keep_end(run, stored);
  Outcome outcome = settle(std::move(run), now);
  if (outcome.kind != Outcome::Kind::kAccepted) return outcome;
  // An exported run that comes back has the annotations among its labels.
  if (effective(*outcome.run) == effective(stored)) return duplicate(stored);
  if (supersedes(*outcome.run, wire::encode_snapshot(*outcome.run), stored, wire::encode_snapshot(stored)))
    return outcome;
  return duplicate(stored);
}

Outcome report_next(Run run, const Run& stored, Nanos now) {
  if (rank(run) < rank(stored)) return duplicate(stored);
  const bool over = overrules(run.state, stored);
  run = filled(std::move(run), over ? without_verdict(stored) : stored);
  run.revision = stored.revision;
  if (run == stored) return duplicate(stored);
  if (terminal(stored.state) && !over) {
    return conflict("state", "the run has ended as `" + std::string(name_of(stored.state)) +
                                 "`; to correct it, send it whole with a higher revision");
  }
  if (auto refused = advance(run.revision, "revision")) return *std::move(refused);
  return settle(std::move(run), now);
}

void patch_failure(Run& run, const PatchRun& patch) {
  if (!patch.failure_kind && !patch.failure_message && !patch.failure_signal) return;
  if (!run.failure) run.failure.emplace();
  if (patch.failure_kind) run.failure->kind = *patch.failure_kind;
  if (patch.failure_message) run.failure->message = *patch.failure_message;
  if (patch.failure_signal) run.failure->signal = *patch.failure_signal;
}

Run patched(Run run, const PatchRun& patch) {
  if (patch.state) {
    if (terminal(*patch.state) && !terminal(run.state)) run.duration.reset();  // so far
    run.state = *patch.state;
  }
  if (patch.finished_at) run.finished_at = patch.finished_at;
  if (patch.duration) run.duration = patch.duration;
  if (patch.progress) run.progress = patch.progress;
  if (patch.exit_code) run.exit_code = patch.exit_code;
  patch_failure(run, patch);
  for (const auto& [key, value] : patch.labels) run.labels.insert_or_assign(key, value);
  for (const auto& [name, value] : patch.counters) run.counters.insert_or_assign(name, value);
  return run;
}

// The first field that differs of those that nobody adds to afterwards; empty if there is none.
std::string_view closed_change(const Run& run, const Run& stored) {
  if (run.state != stored.state) return "state";
  if (run.finished_at != stored.finished_at) return "finished_at";
  if (run.duration != stored.duration) return "duration_seconds";
  if (run.progress != stored.progress) return "progress";
  if (run.exit_code != stored.exit_code) return "exit_code";
  if (run.counters != stored.counters) return "counters";
  const Failure before = stored.failure.value_or(Failure{});
  const Failure after = run.failure.value_or(Failure{});
  if (after.kind != before.kind) return "failure.kind";
  if (after.signal != before.signal) return "failure.signal";
  return {};
}

// Why a patch of a run that takes additions alone cannot be; nullopt if it only adds.
std::optional<Outcome> refuse_closed(const Run& run, const Run& stored) {
  std::string field(closed_change(run, stored));
  if (field.empty()) return std::nullopt;
  const bool library = stored.reporter == Reporter::kLibrary;
  const std::string why = library ? "the run is owned by the client library"
                                  : "the run has ended as `" + std::string(name_of(stored.state)) + "`";
  return conflict(std::move(field), why + "; labels and failure.message may still be added");
}

// `run` with the labels and the message of the patch among its annotations, as far as readers do not see
// them already.
Run annotated(Run run, const PatchRun& patch) {
  Annotations& added = run.annotations;
  for (const auto& [key, value] : patch.labels) {
    const std::string* const seen = effective_label(run, key);
    if (seen == nullptr || *seen != value) added.labels.insert_or_assign(key, value);
  }
  if (!patch.failure_message) return run;
  const std::optional<Failure> seen = effective_failure(run);
  if (!seen || seen->message != *patch.failure_message) added.failure_message = *patch.failure_message;
  return run;
}

// Gives what differs its next revision; or why there is none.
std::optional<Outcome> advance_parts(Run& run, const Run& stored) {
  if (run.annotations != stored.annotations) {
    if (auto refused = advance(run.annotations.revision, "annotations.revision")) return refused;
  }
  const Annotations annotations = std::exchange(run.annotations, stored.annotations);
  std::optional<Outcome> refused;
  if (run != stored) refused = advance(run.revision, "revision");
  run.annotations = annotations;
  return refused;
}

// A patch may not add beyond the bound that each part has.
std::optional<Outcome> refuse_many(const Run& run, const Run& stored) {
  const std::size_t count = effective_labels(run).size();
  if (count <= limits::label_count_max || count <= effective_labels(stored).size()) return std::nullopt;
  return reject(Why::kInvalid, "labels",
                "the run would have " + std::to_string(count) + " labels; at most " +
                    std::to_string(limits::label_count_max) + " are allowed");
}

}  // namespace

Outcome reject(Outcome::Why why, std::string field, std::string detail) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kRejected;
  outcome.why = why;
  outcome.field = std::move(field);
  outcome.detail = std::move(detail);
  return outcome;
}

Outcome resolve_report(const ReportRun& report, const Run* stored, Nanos now) {
  Run run = report.run;
  run.reporter = Reporter::kHttp;
  run.verdict = false;
  run.annotations = stored != nullptr ? stored->annotations : Annotations{};
  if (!report.started_at_given) run.started_at = 0;
  if (auto fault = fault_of(run)) return *std::move(fault);
  if (stored == nullptr) return report_new(std::move(run), report.started_at_given, now);
  if (run.job != stored->job) return conflict("job", "the run is known under the job `" + stored->job + "`");
  if (report.started_at_given && run.started_at != stored->started_at) {
    return conflict("started_at", "the run is known with another started_at; it never changes");
  }
  if (stored->reporter == Reporter::kLibrary) return conflict("", "the run is owned by the client library");
  if (run.revision != 0) return report_revision(std::move(run), *stored, now);
  return report_next(std::move(run), *stored, now);
}

Outcome resolve_patch(const PatchRun& patch, const Run* stored, Nanos now) {
  if (stored == nullptr) return reject(Why::kNotFound, "id", "there is no run " + patch.id.text());
  const bool http = stored->reporter == Reporter::kHttp;
  const bool over = http && patch.state && overrules(*patch.state, *stored);
  const bool closed = !over && (!http || terminal(stored->state));
  Run run = patched(over ? without_verdict(*stored) : *stored, patch);
  if (closed) {
    if (auto refused = refuse_closed(run, *stored)) return *std::move(refused);
    run = *stored;
  }
  // Of an open run: those that stand in front of what the patch has just set.
  run = annotated(std::move(run), patch);
  if (run == *stored) return duplicate(*stored);
  if (auto refused = refuse_many(run, *stored)) return *std::move(refused);
  if (auto refused = advance_parts(run, *stored)) return *std::move(refused);
  return closed ? accept(std::move(run)) : settle(std::move(run), now);
}

}  // namespace kleptometrics::aggregator
