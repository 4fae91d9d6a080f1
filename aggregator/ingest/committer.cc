#include "aggregator/ingest/committer.h"

#include <cassert>
#include <chrono>
#include <utility>
#include <variant>

#include "aggregator/base/log.h"
#include "aggregator/ingest/group.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kMaintenanceInterval = kNanosPerSecond;
constexpr int kTriesMax = 10;  // of a group that other processes overtake

// A run that is reported without an id gets one at once, so that later commands of its group can be about it.
void prepare(Command& command, Nanos wall) {
  auto* report = std::get_if<ReportRun>(&command);
  if (report != nullptr && report->run.id.none()) report->run.id = Uuid::make_v7(wall);
}

// A status that shares nothing with the one it is made from: what crosses threads is not counted together.
// (Abseil's count is right, but where Abseil is not built for ThreadSanitizer that sees only half of it.)
absl::Status copy_of(const absl::Status& status) { return absl::Status(status.code(), status.message()); }

}  // namespace

absl::StatusOr<std::unique_ptr<Committer>> Committer::create(Store& store, const Clock& clock, Options options) {
  auto jobs = store.jobs();
  if (!jobs.ok()) {
    return absl::Status(jobs.status().code(), "read the known jobs: " + std::string(jobs.status().message()));
  }
  std::unique_ptr<Committer> committer(new Committer(store, clock, options));
  for (const JobHead& job : *jobs) committer->known_jobs_.insert(job.name);
  return committer;
}

Committer::Committer(Store& store, const Clock& clock, Options options)
    : store_(store), clock_(clock), options_(options) {}

Committer::~Committer() { stop(); }

void Committer::start() {
  assert(!thread_.joinable());
  thread_ = std::thread([this] { loop(); });
}

void Committer::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
  while (run_once()) {  // never started: what was waiting is committed here
  }
}

void Committer::loop() {
  while (wait_for_work()) {
    const bool idle = !run_once();
    maintain(idle);
  }
}

// Waits until there is some, or until it is time to keep house. False when there is none and will be none.
bool Committer::wait_for_work() {
  const Lock lock(mutex_);
  const Nanos patience = more_to_maintain_ ? 0 : kMaintenanceInterval;
  if (queue_.empty() && !stopping_ && fatal_.ok()) work_.wait_for(mutex_, std::chrono::nanoseconds(patience));
  return !queue_.empty() || (!stopping_ && fatal_.ok());
}

// Once an interval under load; when nothing else is to be done until all of it is.
void Committer::maintain(bool idle) {
  const TimePoint now = clock_.now();
  if (!idle && now.steady - maintained_at_ < kMaintenanceInterval) return;
  maintained_at_ = now.steady;
  const auto done = store_.maintain(now.wall, idle);
  more_to_maintain_ = done.ok() && done->more;
  if (done.ok() || absl::IsUnavailable(done.status())) return;
  note(done.status());
  release({}, done.status());
}

bool Committer::run_once() {
  const std::vector<Waiting*> group = take_group();
  if (group.empty()) return false;
  const absl::Status status = commit_group(group);
  note(status);
  release(group, status);
  if (after_commits_ && status.ok()) after_commits_();
  return true;
}

absl::Status Committer::commit_group(const std::vector<Waiting*>& waiting) {
  absl::Status status = try_group(waiting);
  for (int tries = 1; absl::IsAborted(status) && tries < kTriesMax; ++tries) {
    for (Waiting* each : waiting) each->outcomes.assign(each->work.size(), {});
    status = try_group(waiting);
  }
  if (absl::IsAborted(status)) return absl::UnavailableError(status.message());
  return status;
}

absl::Status Committer::try_group(const std::vector<Waiting*>& waiting) {
  Group group(*this);
  for (const Waiting* each : waiting) group.survey(*each);
  for (Waiting* each : waiting) {
    if (auto status = group.add(*each); !status.ok()) return status;
  }
  return group.commit();
}

// Whole submissions, oldest first, at least one.
std::vector<Committer::Waiting*> Committer::take_group() {
  const Lock lock(mutex_);
  std::vector<Waiting*> group;
  std::size_t runs = 0;
  while (!queue_.empty()) {
    Waiting* const next = queue_.front();
    if (!group.empty() && runs + next->work.size() > options_.group_runs_max) break;
    runs += next->work.size();
    group.push_back(next);
    queue_.pop_front();
  }
  queued_runs_ -= runs;
  return group;
}

// Under mutex_: a submission that is released may be gone at once.
void Committer::release_one(Waiting& waiting, const absl::Status& status) {
  waiting.status = copy_of(status);
  waiting.released = true;
  waiting.changed.notify_one();
}

void Committer::release(const std::vector<Waiting*>& group, const absl::Status& status) {
  const Lock lock(mutex_);
  for (Waiting* waiting : group) release_one(*waiting, status);
  if (status.ok() || absl::IsUnavailable(status)) return;
  fatal_ = copy_of(status);
  for (Waiting* waiting : queue_) release_one(*waiting, status);
  queue_.clear();
  queued_runs_ = 0;
}

// One line when commits begin to fail and one when they work again, not one a group.
void Committer::note(const absl::Status& status) {
  const bool unavailable = absl::IsUnavailable(status);
  if (!status.ok() && !unavailable) {
    log_error("commit failed for good: " + status.ToString());
  } else if (unavailable && !unavailable_) {
    log_error("commit failed for now, reporters will send again: " + status.ToString());
  } else if (!unavailable && unavailable_) {
    log_info("commits work again");
  }
  unavailable_ = unavailable;
}

absl::Status Committer::enqueue(Waiting& waiting) {
  if (!fatal_.ok()) return copy_of(fatal_);
  if (stopping_) return absl::UnavailableError("the aggregator is stopping");
  // What is larger than the whole queue is let in alone, else it never would be.
  if (!queue_.empty() && queued_runs_ + waiting.work.size() > options_.queued_runs_max) {
    return absl::UnavailableError(std::to_string(queued_runs_) + " runs are waiting to be committed already");
  }
  queue_.push_back(&waiting);
  queued_runs_ += waiting.work.size();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Outcome>> Committer::submit(std::vector<Command> commands) {
  Waiting waiting;
  waiting.submitted = clock_.now();
  for (Command& command : commands) prepare(command, waiting.submitted.wall);
  if (commands.empty()) return waiting.outcomes;
  waiting.work = std::move(commands);
  waiting.outcomes.resize(waiting.work.size());
  if (auto status = wait_for(waiting); !status.ok()) {
    counts_.note_unavailable(waiting.outcomes.size());
    return status;
  }
  for (const Outcome& outcome : waiting.outcomes) counts_.note(outcome);
  return std::move(waiting.outcomes);
}

// Queues it, and waits until it is done.
absl::Status Committer::wait_for(Waiting& waiting) {
  const Lock lock(mutex_);
  if (auto status = enqueue(waiting); !status.ok()) return status;
  work_.notify_one();
  while (!waiting.released) waiting.changed.wait(mutex_);
  return waiting.status;
}

absl::Status Committer::fatal_error() const {
  const Lock lock(mutex_);
  return copy_of(fatal_);
}

std::size_t Committer::queued_runs() const {
  const Lock lock(mutex_);
  return queued_runs_;
}

}  // namespace kleptometrics::aggregator
