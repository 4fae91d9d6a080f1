#include "aggregator/watch/job_watcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/wire/watch_state.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kGather = kNanosPerSecond / 10;      // what comes within this is judged and saved together
constexpr Nanos kRetry = kNanosPerSecond;            // after the store could not record
constexpr Nanos kLearnEvery = 60 * kNanosPerSecond;  // of a job
constexpr std::size_t kLearnAtOnce = 200;            // jobs, in a turn: each is a question to the store
constexpr Nanos kCatchUpRest = 10;                   // times as long as catching up took, until it may again
constexpr Nanos kSleepMax = 60 * kNanosPerSecond;    // however far the next deadline: the wall clock may be set
constexpr Nanos kSeenSlack = 60 * kNanosPerSecond;   // a turn takes what was committed well within this
constexpr Nanos kLookBack = rules::kHistoryAge;      // how long before its commit a run that was missed may have begun

// Ended so long ago that only a job that is watched for its schedule wants to know.
bool is_history(const Run& run, Nanos now) {
  if (!terminal(run.state)) return false;
  const Nanos end = run.finished_at.value_or(run.started_at + run.duration.value_or(0));
  return end < now - rules::kHistoryAge;
}

// Of a run that reports work its own limits are known beside those of its job.
void set_own_limits(const stats::Limits& learned, const stats::Counters& counters, rules::RunFacts& run) {
  if (!learned.per) return;
  const bool ended = run.state != State::kRunning;
  run.too_long = ended ? too_long_ended(learned, counters) : too_long_running(learned, counters);
  if (ended) run.too_short = too_short_ended(learned, counters);
}

rules::Limits limits_of(const stats::Limits& learned, const std::optional<stats::Sustained>& sustained) {
  rules::Limits limits{learned.too_long, learned.too_short, learned.typical, learned.runs, {}};
  const auto nanos = [](double seconds) { return static_cast<Nanos>(seconds * 1e9); };
  if (sustained)
    limits.shift = {nanos(sustained->median), nanos(sustained->median_before), stats::kInARow, sustained->runs_before};
  return limits;
}

}  // namespace

JobWatcher::JobWatcher(Store& store, Committer& committer, const Clock& clock, Options options)
    : store_(store), committer_(committer), clock_(clock), options_(std::move(options)) {}

JobWatcher::~JobWatcher() { stop(); }

std::vector<std::size_t> JobWatcher::choose(const std::vector<Run>& runs, Nanos now) {
  std::vector<std::size_t> chosen;
  const Lock lock(mutex_);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!is_history(runs[i], now) || known_.contains(runs[i].job)) chosen.push_back(i);
  }
  return chosen;
}

void JobWatcher::committed(std::vector<Run> runs, Nanos now) {
  for (Run& run : runs)
    push({.job = run.job, .at = now, .run = rules::facts_of(run, now), .counters = std::move(run.counters)});
}

void JobWatcher::specified(const std::string& job, const JobSpec& spec, Nanos now) {
  push({.job = job, .at = now, .spec = spec});
}

void JobWatcher::push(Event event) {
  const Lock lock(mutex_);
  known_.insert(event.job);
  if (queue_.size() >= options_.queued_max) {
    missed_ = true;
    return;
  }
  queue_.push_back(std::move(event));
  if (queue_.size() == 1) changed_.notify_all();
}

std::vector<JobWatcher::Event> JobWatcher::take_queue(bool& missed) {
  const Lock lock(mutex_);
  missed = std::exchange(missed_, false);
  return std::exchange(queue_, {});
}

JobWatcher::Watched& JobWatcher::watched(const std::string& job) {
  const auto found = jobs_.find(job);
  if (found != jobs_.end()) return found->second;
  return jobs_.emplace(job, Watched{rules::JobWatch(job, JobSpec{}, clock_.now().wall)}).first->second;
}

void JobWatcher::take(Event event) {
  touched_.insert(event.job);
  if (event.run) {
    Watched& its = watched(event.job);
    if (its.learned) set_own_limits(*its.learned, event.counters, *event.run);
    its.watch.take(*std::move(event.run));
  }
  if (event.spec) {
    // What was committed before it is judged by what held then.
    Watched& job = watched(event.job);
    if (clock_.steady() >= judge_from_) job.watch.advance(event.at, found_);
    job.watch.replace(*std::move(event.spec), event.at, found_);
  }
}

absl::Status JobWatcher::load() {
  const Nanos now = clock_.now().wall;
  const auto heads = store_.jobs();
  if (!heads.ok()) return heads.status();
  const auto states = store_.watch_states();
  if (!states.ok()) return states.status();
  std::map<std::string, JobSpec> specs;
  for (const JobHead& head : *heads) {
    if (!(head.spec == JobSpec{})) specs.emplace(head.name, head.spec);
  }
  for (const auto& [job, bytes] : *states) {
    absl::StatusOr<wire::SavedWatch> saved = wire::decode_watch(bytes);
    if (!saved.ok()) {
      log_error(absl::StrCat("job ", job, " is watched anew: ", saved.status().message()));
      continue;
    }
    seen_ = std::max(seen_, saved->saved_at);
    jobs_.emplace(job, Watched{rules::JobWatch(job, specs[job], std::move(saved->state))});
    touched_.insert(job);
  }
  for (const auto& [job, spec] : specs) {
    if (jobs_.contains(job)) continue;
    jobs_.emplace(job, Watched{rules::JobWatch(job, spec, now)});
    touched_.insert(job);
  }
  if (seen_ != 0) judge_from_ = clock_.steady() + std::clamp<Nanos>(now - seen_, 0, kBackOffMax) + kHoldSlack;
  {
    const Lock lock(mutex_);
    for (const auto& [job, watch] : jobs_) known_.insert(job);
  }
  return catch_up();
}

// Whatever was committed since the last turn, or may have been: what the runs say that it knows as running, those that
// are running now, and those that began not long before.
absl::Status JobWatcher::catch_up() {
  const Nanos now = clock_.now().wall;
  const Nanos since = seen_ == 0 ? now - kLookBack : seen_ - kSeenSlack;
  for (auto& [job, its] : jobs_) {
    for (const rules::RunFacts& running : its.watch.state().running) {
      const auto run = store_.run(running.id);
      if (!run.ok() && !absl::IsUnknown(run.status())) return run.status();
      if (run.ok() && *run) take({.job = job, .at = now, .run = rules::facts_of(**run, now)});
    }
  }
  RunFilter open{.states = {State::kRunning}};
  absl::Status status =
      store_.scan(open, [&](const Run& run) { take({.job = run.job, .at = now, .run = rules::facts_of(run, now)}); });
  if (!status.ok()) return status;
  return take_settled(since);
}

absl::Status JobWatcher::take_settled(Nanos since) {
  const Nanos now = clock_.now().wall;
  RunFilter ended{.states = {State::kSucceeded, State::kFailed, State::kCanceled, State::kCrashed}};
  ended.since = since - kLookBack;
  return store_.scan(ended, [&](const Run& run) {
    rules::RunFacts facts = rules::facts_of(run, now);
    if (facts.ended_at >= since) take({.job = run.job, .at = now, .run = std::move(facts)});
  });
}

absl::StatusOr<Nanos> JobWatcher::turn_once() {
  const TimePoint now = clock_.now();
  bool missed = false;
  up_to_date_ = false;
  for (Event& event : take_queue(missed)) take(std::move(event));
  behind_ = behind_ || missed;
  if (behind_ && now.steady >= catch_up_from_) {
    if (absl::Status status = catch_up(); !status.ok()) return status;
    behind_ = false;
    const Nanos took = clock_.steady() - now.steady;
    catch_up_from_ = now.steady + std::max(kRetry, kCatchUpRest * took);
  }
  if (now.steady < judge_from_) return now.wall + (judge_from_ - now.steady);
  judge(now.wall);
  if (absl::Status status = record(now.wall); !status.ok()) return status;
  up_to_date_ = !behind_;
  if (!behind_) seen_ = now.wall;
  const Nanos latest = now.wall + (behind_ ? kRetry : kSleepMax);
  return deadlines_.empty() ? latest : std::min(latest, deadlines_.top().first);
}

void JobWatcher::judge(Nanos now) {
  may_learn_ = kLearnAtOnce;
  for (const std::string& job : touched_) judge(job, watched(job), now);
  touched_.clear();
  while (!deadlines_.empty() && deadlines_.top().first <= now) {
    const Deadline due = deadlines_.top();
    deadlines_.pop();
    Watched& its = jobs_.at(due.second);
    if (its.deadline == due.first) judge(due.second, its, now);
  }
}

// From time to time, of a job of which something is told: its runs are read for it.
void JobWatcher::learn(const std::string& job, Watched& its) {
  const Nanos steady = clock_.steady();
  if (!options_.learn || may_learn_ == 0 || (its.learned_at && steady - *its.learned_at < kLearnEvery)) return;
  --may_learn_;
  const auto expectation = options_.learn(job);
  if (!expectation.ok()) return;  // the store is in trouble, which others tell of
  its.learned_at = steady;
  its.learned = expectation->limits();
  its.watch.expect(its.learned ? std::optional(limits_of(*its.learned, expectation->sustained())) : std::nullopt);
}

void JobWatcher::judge(const std::string& job, Watched& its, Nanos now) {
  learn(job, its);
  its.watch.advance(now, found_);
  unsaved_.insert(job);
  std::optional<Nanos> next = its.watch.next_deadline();
  if (next) next = std::max(*next, now + 1);
  if (next && next != its.deadline) deadlines_.emplace(*next, job);
  its.deadline = next;
}

absl::Status JobWatcher::record(Nanos now) {
  if (unsaved_.empty() && found_.empty()) return absl::OkStatus();
  Findings findings{found_.delays, found_.alerts, found_.withdrawn, {}};
  for (const std::string& job : unsaved_)
    findings.watch_states.emplace_back(job, wire::encode_watch({jobs_.at(job).watch.state(), now}));
  std::vector<Command> commands;
  commands.emplace_back(RecordFindings{std::move(findings), may_record_until_});
  const auto outcomes = committer_.submit(std::move(commands));
  if (!outcomes.ok()) return outcomes.status();
  if (outcomes->front().kind == Outcome::Kind::kRejected) return absl::UnavailableError(outcomes->front().detail);
  found_ = {};
  unsaved_.clear();
  return absl::OkStatus();
}

void JobWatcher::start() {
  thread_ = std::thread([this] { loop(); });
}

void JobWatcher::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void JobWatcher::loop() {
  Nanos until = 0;
  while (wait(until)) {
    const auto next = turn_once();
    if (!next.ok() && !absl::IsUnavailable(next.status())) {
      if (committer_.fatal_error().ok()) log_error(absl::StrCat("watch jobs: ", next.status().ToString()));
    }
    until = next.value_or(clock_.now().wall + kRetry);
  }
  (void)turn_once();  // what came last; else the next start finds it
}

bool JobWatcher::wait(Nanos until) {
  const auto pause = [this](Nanos length) KLEPTO_REQUIRES(mutex_) {
    changed_.wait_for(mutex_, std::chrono::nanoseconds(std::max<Nanos>(length, 0)));
  };
  const Lock lock(mutex_);
  while (!stopping_ && queue_.empty() && !missed_) {
    const Nanos left = until - clock_.now().wall;
    if (left <= 0) return true;
    pause(left);
  }
  if (!stopping_) pause(kGather);
  return !stopping_;
}

}  // namespace kleptometrics::aggregator
