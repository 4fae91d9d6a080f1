#include "aggregator/watch/watch_duty.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregator/base/log.h"
#include "aggregator/store/rules.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator {
namespace {

constexpr Nanos kRetry = kNanosPerSecond;        // after the store could not answer
constexpr Nanos kGather = kNanosPerSecond / 10;  // what comes within this is looked at together
constexpr std::size_t kChangesMost = 100'000;    // that are read again and again while they cannot be dropped

}  // namespace

WatchDuty::WatchDuty(Store& store, Committer& committer, const Clock& clock, SpoolWatcher& programs, std::string holder,
                     Options options)
    : store_(store),
      committer_(committer),
      clock_(clock),
      programs_(programs),
      holder_(std::move(holder)),
      options_(std::move(options)),
      limit_(options_.changes_max) {
  committer_.after_commits([this] { nudge(); });
}

WatchDuty::~WatchDuty() { stop(); }

Nanos WatchDuty::turn_once() {
  if (!held()) lose();  // whoever gets it again may have had it taken in between
  if (clock_.steady() >= ask_at_) ask(clock_.steady());
  if (!held()) {
    lose();
    return ask_at_;
  }
  absl::Status status;
  if (watcher_ == nullptr) status = take_over();
  const Nanos now = clock_.steady();
  if (status.ok() && watcher_ != nullptr && held() && now >= next_) status = watch(now);
  if (!status.ok()) next_ = now + kRetry;
  if (!status.ok() && !told_unavailable_) log_error(absl::StrCat("watch jobs: ", status.message()));
  told_unavailable_ = !status.ok();
  return std::min(ask_at_, next_);
}

// By our clock, and from before it was asked: by the server's it lasts longer.
void WatchDuty::ask(Nanos now) {
  const Nanos length = watcher_ == nullptr ? options_.load_length : options_.length;
  const auto held = store_.hold(kName, holder_, length);
  ask_at_ = now + (held.ok() ? options_.renew_every : kRetry);
  if (!held.ok()) return;  // what is held lasts as long as it did
  held_until_ = *held ? now + length - options_.margin : 0;
  if (watcher_ != nullptr) watcher_->may_record_until(held_until_);
}

absl::Status WatchDuty::take_over() {
  auto watcher = std::make_unique<JobWatcher>(store_, committer_, clock_, options_.watcher);
  absl::Status status = watcher->load();
  if (status.ok()) status = programs_.begin_duty();
  if (!status.ok()) return status;
  watcher_ = std::move(watcher);
  watcher_->may_record_until(held_until_);
  fed_upto_.clear();
  limit_ = options_.changes_max;
  next_ = 0;
  ask_at_ = 0;  // from now on for shorter times
  log_info(absl::StrCat("watches the jobs of the shared store holder=", holder_));
  return status;
}

void WatchDuty::lose() {
  if (watcher_ == nullptr) return;
  watcher_.reset();
  programs_.end_duty();
  log_info("does not watch the jobs of the shared store any more");
}

// Nothing is dropped before it is recorded. While the watcher waits, after it was loaded, for what programs have to
// tell, it is shown all that there is.
absl::Status WatchDuty::watch(Nanos now) {
  const absl::StatusOr<Changes> changes = store_.changes(limit_);
  if (!changes.ok()) return changes.status();
  if (absl::Status status = feed(*changes); !status.ok()) return status;
  const absl::StatusOr<Nanos> deadline = watcher_->turn_once();
  if (!deadline.ok()) return deadline.status();
  next_ = now + std::clamp<Nanos>(*deadline - clock_.now().wall, 0, options_.look_every);
  if (!changes->more) programs_.on_duty(now, held_until_);
  if (!watcher_->up_to_date()) {
    if (changes->more) limit_ = std::min(2 * limit_, kChangesMost);
    return absl::OkStatus();
  }
  limit_ = options_.changes_max;
  if (changes->more) next_ = now;
  if (changes->upto.empty()) return absl::OkStatus();
  fed_upto_.clear();
  return store_.drop_changes(changes->upto);
}

absl::Status WatchDuty::feed(const Changes& changes) {
  if (changes.upto == fed_upto_ && changes.items.size() == fed_items_) return absl::OkStatus();
  std::vector<Run> runs;
  for (const Change& change : changes.items) {
    if (change.run) {
      programs_.committed(*change.run);
      runs.push_back(*change.run);
      continue;
    }
    feed_runs(runs);
    if (absl::Status status = feed_spec(change.job); !status.ok()) return status;
  }
  feed_runs(runs);
  fed_upto_ = changes.upto;
  fed_items_ = changes.items.size();
  return absl::OkStatus();
}

void WatchDuty::feed_runs(std::vector<Run>& runs) {
  const Nanos now = clock_.now().wall;
  std::vector<Run> chosen;
  for (const std::size_t at : watcher_->choose(runs, now)) chosen.push_back(without_steps(runs[at]));
  if (!chosen.empty()) watcher_->committed(std::move(chosen), now);
  runs.clear();
}

// What the job is meant to be by now: a change that was overtaken would only begin its schedule anew.
absl::Status WatchDuty::feed_spec(const std::string& job) {
  const auto heads = store_.jobs(job);
  if (!heads.ok()) return heads.status();
  if (!heads->empty()) watcher_->specified(job, heads->front().spec, clock_.now().wall);
  return absl::OkStatus();
}

// --- the thread --------------------------------------------------------------------------------------------------

void WatchDuty::nudge() {
  const Lock lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
}

void WatchDuty::start() {
  thread_ = std::thread([this] { loop(); });
}

void WatchDuty::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  const bool gives_up = held();
  held_until_ = 0;
  lose();
  if (gives_up) store_.hold(kName, holder_, 0).IgnoreError();
}

void WatchDuty::loop() {
  Nanos until = 0;
  while (wait(until)) {
    until = turn_once();
    turned_at_ = clock_.steady();
  }
}

// What is committed here is looked at soon, what others commit by and by.
bool WatchDuty::wait(Nanos until) {
  const Lock lock(mutex_);
  while (!stopping_) {
    const Nanos now = clock_.steady();
    const bool wakes = nudged_ && held();
    const Nanos left = (wakes ? std::min(until, turned_at_ + kGather) : until) - now;
    if (left <= 0) {
      if (wakes) next_ = now;
      nudged_ = false;
      return true;
    }
    changed_.wait_for(mutex_, std::chrono::nanoseconds(left));
  }
  return false;
}

std::string holder_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  const std::string random = Uuid::make_v7(system_clock().now().wall).text().substr(24);
  return absl::StrCat(host.data(), ":", ::getpid(), ":", random);
}

}  // namespace kleptometrics::aggregator
