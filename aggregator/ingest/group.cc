#include "aggregator/ingest/group.h"

#include <utility>

#include "aggregator/ingest/resolve.h"
#include "aggregator/store/apply.h"
#include "aggregator/store/change_list.h"
#include "aggregator/store/rules.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kMinute = 60 * kNanosPerSecond;

}  // namespace

Committer::Group::Group(Committer& owner) : owner_(owner), now_(owner.clock_.now()) {
  auto& times = owner_.new_job_times_;
  while (!times.empty() && now_.steady - times.front() >= kMinute) times.pop_front();
}

absl::Status Committer::Group::add(Waiting& waiting) {
  commit_.reserve(size_);
  outcomes_.reserve(size_);
  const Nanos wall = waiting.submitted.wall;
  for (std::size_t i = 0; i < waiting.work.size(); ++i) {
    Outcome& outcome = waiting.outcomes[i];
    absl::Status status;
    if (auto* apply = std::get_if<ApplySnapshot>(&waiting.work[i])) {
      status = add_snapshot(may_be_repeated() ? Run(apply->run) : std::move(apply->run), outcome);
    } else if (const auto* report = std::get_if<ReportRun>(&waiting.work[i])) {
      status = add_report(*report, wall, outcome);
    } else if (const auto* put = std::get_if<PutJob>(&waiting.work[i])) {
      status = put_job(*put, outcome);
    } else if (const auto* found = std::get_if<RecordFindings>(&waiting.work[i])) {
      status = record(*found, outcome);
    } else if (const auto* seen = std::get_if<AcknowledgeAlert>(&waiting.work[i])) {
      status = acknowledge(seen->id, wall, outcome);
    } else if (const auto* drop = std::get_if<DropChanges>(&waiting.work[i])) {
      status = drop_changes(*drop);
    } else if (const auto* pause = std::get_if<PauseJob>(&waiting.work[i])) {
      status = pause_job(*pause, outcome);
    } else {
      status = add_patch(std::get<PatchRun>(waiting.work[i]), wall, outcome);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Committer::Group::add_snapshot(Run&& run, Outcome& outcome) {
  if (!may_appear(run.job, outcome)) return absl::OkStatus();
  if (!addressed_.empty() && addressed_.contains(run.id)) {
    if (auto status = remember(run); !status.ok()) return status;
  }
  take(std::move(run), outcome);
  return absl::OkStatus();
}

absl::Status Committer::Group::add_report(const ReportRun& report, Nanos wall, Outcome& outcome) {
  auto stored = lookup(report.run.id);
  if (absl::IsUnknown(stored.status())) return reject_damaged(stored.status(), outcome);
  if (!stored.ok()) return stored.status();
  std::optional<Run>& run = **stored;
  outcome = resolve_report(report, run ? &*run : nullptr, wall);
  if (outcome.kind != Outcome::Kind::kAccepted || !may_appear(report.run.job, outcome)) return absl::OkStatus();
  run = outcome.run;
  take(Run(*run), outcome);
  return absl::OkStatus();
}

absl::Status Committer::Group::add_patch(const PatchRun& patch, Nanos wall, Outcome& outcome) {
  auto stored = lookup(patch.id);
  if (absl::IsUnknown(stored.status())) return reject_damaged(stored.status(), outcome);
  if (!stored.ok()) return stored.status();
  std::optional<Run>& run = **stored;
  outcome = resolve_patch(patch, run ? &*run : nullptr, wall);
  if (outcome.kind != Outcome::Kind::kAccepted) return absl::OkStatus();
  run = outcome.run;
  take(Run(*run), outcome);
  return absl::OkStatus();
}

// A transaction of its own, at once: what a job is meant to be and what its runs say do not hang together.
absl::Status Committer::Group::put_job(const PutJob& put, Outcome& outcome) {
  if (!may_appear(put.name, outcome)) return absl::OkStatus();
  outcome.created = new_jobs_.contains(put.name);
  const auto before = spec_of(put.name);
  if (!before.ok()) return before.status();
  JobSpec spec = put.spec;
  spec.paused_until = *before ? (*before)->paused_until : std::nullopt;
  if (auto status = owner_.store_.put_job(put.name, spec); !status.ok()) return status;
  appeared(put.name);
  if (owner_.witness_ != nullptr) owner_.witness_->specified(put.name, spec, now_.wall);
  return absl::OkStatus();
}

// Likewise at once.
absl::Status Committer::Group::pause_job(const PauseJob& pause, Outcome& outcome) {
  auto spec = spec_of(pause.name);
  if (!spec.ok()) return spec.status();
  if (!*spec) {
    outcome = reject(Outcome::Why::kNotFound, "job", "there is no job `" + pause.name + "`");
    return absl::OkStatus();
  }
  (*spec)->paused_until = pause.until;
  if (auto status = owner_.store_.put_job(pause.name, **spec); !status.ok()) return status;
  if (owner_.witness_ != nullptr) owner_.witness_->specified(pause.name, **spec, now_.wall);
  return absl::OkStatus();
}

// nullopt where the job is unknown: to all who share the store.
absl::StatusOr<std::optional<JobSpec>> Committer::Group::spec_of(const std::string& job) {
  if (!owner_.known_jobs_.contains(job) && !owner_.store_.shared()) return std::nullopt;
  auto heads = owner_.store_.jobs(job);
  if (!heads.ok()) return heads.status();
  if (heads->empty()) return std::nullopt;
  return std::move(heads->front().spec);
}

// At once, as put_job().
absl::Status Committer::Group::record(const RecordFindings& found, Outcome& outcome) {
  if (owner_.clock_.steady() < found.until) return owner_.store_.record(found.findings);
  outcome = reject(Outcome::Why::kConflict, "", "somebody else may watch by now");
  return absl::OkStatus();
}

// Of two people the first has acknowledged it. At once, as put_job().
absl::Status Committer::Group::acknowledge(const Uuid& id, Nanos wall, Outcome& outcome) {
  auto alert = owner_.store_.alert(id);
  if (absl::IsUnknown(alert.status())) {
    outcome = reject(Outcome::Why::kConflict, "id", std::string(alert.status().message()));
    return absl::OkStatus();
  }
  if (!alert.ok()) return alert.status();
  outcome.alert = *std::move(alert);
  if (!outcome.alert) {
    outcome = reject(Outcome::Why::kNotFound, "id", "there is no alert " + id.text());
    return absl::OkStatus();
  }
  if (outcome.alert->acknowledged_at) {
    outcome.kind = Outcome::Kind::kDuplicate;
    return absl::OkStatus();
  }
  outcome.alert->acknowledged_at = wall;
  return owner_.store_.record({.alerts = {*outcome.alert}});
}

// At once, too.
absl::Status Committer::Group::drop_changes(const DropChanges& drop) {
  if (drop.again.empty()) return owner_.store_.drop_changes(drop.upto);
  ChangeList* const list = change_list_of(owner_.store_);
  return list == nullptr ? absl::InternalError("this store puts no changes off") : list->put_off(drop.upto, drop.again);
}

// One run that is damaged is no reason to stop.
absl::Status Committer::Group::reject_damaged(const absl::Status& why, Outcome& outcome) {
  outcome =
      reject(Outcome::Why::kConflict, "id", "what is stored of the run is damaged: " + std::string(why.message()));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Run>*> Committer::Group::lookup(const Uuid& id) {
  if (const auto found = runs_.find(id); found != runs_.end()) return &found->second;
  auto run = owner_.store_.run(id);
  if (!run.ok()) return run.status();
  bases_.push_back(basis_of(id, *run ? &**run : nullptr));
  return &runs_.emplace(id, *std::move(run)).first->second;
}

// What the store will make of the snapshot, for the reports and patches behind it.
absl::Status Committer::Group::remember(const Run& incoming) {
  auto stored = lookup(incoming.id);
  if (absl::IsUnknown(stored.status())) return absl::OkStatus();  // those behind it find the damage themselves
  if (!stored.ok()) return stored.status();
  std::optional<Run>& run = **stored;
  run = run ? merged(incoming, *run, judge(incoming, *run)) : incoming;
  return absl::OkStatus();
}

// False, and the outcome says so, where the job would be one too many.
bool Committer::Group::may_appear(const std::string& job, Outcome& outcome) {
  if (owner_.known_jobs_.contains(job) || new_jobs_.contains(job) || appeared_elsewhere(job)) return true;
  const Options& options = owner_.options_;
  std::string why;
  if (owner_.known_jobs_.size() + new_jobs_.size() >= options.jobs_max) {
    why = "there are " + std::to_string(options.jobs_max) + " jobs already (jobs_max)";
  } else if (owner_.new_job_times_.size() + new_jobs_.size() >= options.new_jobs_per_minute_max) {
    why = std::to_string(options.new_jobs_per_minute_max) +
          " new jobs appeared within a minute already (new_jobs_per_minute_max)";
  } else {
    new_jobs_.insert(job);
    return true;
  }
  outcome = {};
  outcome.kind = Outcome::Kind::kDeferred;
  outcome.field = "job";
  outcome.detail = "the job `" + job + "` is new, and " + why + "; keep the run and send it again later";
  return false;
}

// By another aggregator of the same store. What cannot be asked for is taken for new.
bool Committer::Group::appeared_elsewhere(const std::string& job) {
  if (!owner_.store_.shared()) return false;
  const auto heads = owner_.store_.jobs(job);
  if (!heads.ok() || heads->empty()) return false;
  owner_.known_jobs_.insert(job);
  return true;
}

void Committer::Group::take(Run&& run, Outcome& outcome) {
  if (!new_jobs_.empty() && new_jobs_.contains(run.job)) jobs_.emplace(commit_.size(), run.job);
  commit_.push_back(std::move(run));
  outcomes_.push_back(&outcome);
}

absl::Status Committer::Group::commit() {
  if (commit_.empty()) return absl::OkStatus();
  Witnessed witnessed = to_be_witnessed();
  const auto applied = owner_.store_.commit(std::move(commit_), now_.wall, bases_);
  if (!applied.ok()) return applied.status();
  if (applied->size() != outcomes_.size()) {
    return absl::InternalError("the store answered for another number of snapshots than it was given");
  }
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    settle((*applied)[i], *outcomes_[i]);
    const auto job = jobs_.find(i);
    if (job != jobs_.end() && (*applied)[i] == Applied::kAccepted) appeared(job->second);
  }
  tell(std::move(witnessed), *applied);
  return absl::OkStatus();
}

Committer::Group::Witnessed Committer::Group::to_be_witnessed() const {
  Witnessed witnessed;
  if (owner_.witness_ == nullptr) return witnessed;
  witnessed.indexes = owner_.witness_->choose(commit_, now_.wall);
  for (const std::size_t at : witnessed.indexes) witnessed.runs.push_back(without_steps(commit_[at]));
  return witnessed;
}

void Committer::Group::tell(Witnessed witnessed, const std::vector<Applied>& applied) {
  std::vector<Run> changed;
  for (std::size_t i = 0; i < witnessed.runs.size(); ++i) {
    if (applied[witnessed.indexes[i]] == Applied::kAccepted) changed.push_back(std::move(witnessed.runs[i]));
  }
  if (!changed.empty()) owner_.witness_->committed(std::move(changed), now_.wall);
}

void Committer::Group::appeared(const std::string& job) {
  if (!owner_.known_jobs_.insert(job).second) return;
  owner_.new_job_times_.push_back(now_.steady);
  new_jobs_.erase(job);
}

void Committer::Group::settle(Applied applied, Outcome& outcome) {
  switch (applied) {
    case Applied::kAccepted:
      outcome.kind = Outcome::Kind::kAccepted;
      return;
    case Applied::kDuplicate:
      outcome.kind = Outcome::Kind::kDuplicate;
      return;
    case Applied::kOtherJob:
      outcome = reject(Outcome::Why::kConflict, "job", "the run is known under another job; it never changes");
      return;
    case Applied::kOtherStart:
      outcome =
          reject(Outcome::Why::kConflict, "started_at", "the run is known with another started_at; it never changes");
      return;
  }
}

}  // namespace kleptometrics::aggregator
