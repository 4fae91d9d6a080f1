#include "tests/fault/store/world.h"

#include <algorithm>
#include <iterator>

#include "tests/fakes/runs.h"
#include "tests/fault/store/answers.h"

namespace kleptometrics::fault {
namespace {

using aggregator::Run;
using fakes::seconds;

constexpr std::uint32_t kRuns = 240;
constexpr std::size_t kProducers = 4;
constexpr int kFaultyTicks = 160;
constexpr int kQuietTicksMax = 4000;
constexpr std::size_t kPushRuns = 12;
constexpr std::size_t kGroupRuns = 40;
constexpr std::size_t kSettleRuns[] = {5, 20, 60};
constexpr Nanos kRepeatAfter = 20 * kNanosPerSecond;
constexpr Nanos kSlowest = 40 * kNanosPerSecond;  // on the network, one way: more than after which pushes are repeated
const char* const kRetained[] = {"dense", "job-2"};

bool retained(const Run& run) { return std::ranges::find(kRetained, run.job) != std::end(kRetained); }

}  // namespace

World::World(Disk& disk, const std::string& path, std::uint64_t seed, WorldTally& tally)
    : random_(seed),
      disk_(disk),
      machine_(disk, path, kSettleRuns[below(3)]),
      past_(seed),
      tally_(tally),
      wall_(past_.begun(kRuns).started_at + 8 * aggregator::stats::kDay) {
  populate();
}

// Some runs are told of by two: the program, and another that has adopted what it left.
void World::populate() {
  producers_.resize(kProducers);
  for (std::uint32_t number = 0; number < kRuns; ++number) {
    tell_of(number, producers_[number % kProducers]);
    if (one_in(6)) tell_of(number, producers_[below(kProducers)]);
  }
}

// Of a job whose runs expire nobody gives a verdict: one that has expired would be final.
void World::tell_of(std::uint32_t number, Producer& producer) {
  const Run begun = past_.begun(number);
  if (!one_in(4)) producer.tells.push_back({begun});
  if (!retained(begun) && one_in(5)) producer.tells.push_back({past_.presumed(number)});
  if (!one_in(12)) producer.tells.push_back({past_.ended(number)});
  if (!retained(begun) && one_in(6)) producer.tells.push_back({Past::noted(past_.begun(number), 1 + below(3))});
}

Faults World::play() {
  for (int i = 0; i < kFaultyTicks && faults_.empty(); ++i) tick(true);
  disk_.be_good();
  for (int i = 0; i < kQuietTicksMax && faults_.empty() && !all_delivered(); ++i) tick(false);
  for (int i = 0; i < 10 && faults_.empty() && keeping_house_; ++i) tick(false);
  if (faults_.empty()) check();
  machine_.close();
  return std::move(faults_);
}

void World::tick(bool faulty) {
  faulty_ = faulty;
  const Nanos step = seconds(static_cast<double>(1 + below(5)));
  steady_ += step;
  wall_ += step;
  if (steady_ >= room_at_) disk_.leave_room(std::nullopt);
  if (faulty) strike();
  for (std::size_t i = 0; i < producers_.size(); ++i) report(i);
  serve();
  take_answers();
}

void World::strike() {
  if (machine_.up() && one_in(20)) {
    disk_.lose_power_after(below(80), one_in(4));
  } else if (machine_.up() && one_in(40)) {
    ++tally_.kills;
    machine_.restart(Disk::After::kKill);
  } else if (machine_.up() && one_in(60)) {
    ++tally_.bad_syncs;
    disk_.fail_sync();
  }
  if (one_in(25)) {
    ++tally_.full;
    disk_.leave_room(below(60'000));
    room_at_ = steady_ + seconds(static_cast<double>(below(30)));
  }
  if (one_in(30)) {
    ++tally_.clock_jumps;
    wall_ += seconds(static_cast<double>(below(2 * 86'400))) - seconds(86'400);
  }
  if (!keeping_house_ && one_in(25)) keeping_house_ = wall_ += seconds(60);
  if (machine_.up() && !keeping_house_ && one_in(30))
    machine_.put_job(kRetained[below(2)], {.retention_days = static_cast<std::uint32_t>(1 + below(6))}, faults_);
}

// A push of some of what is not answered yet, older and newer mixed.
void World::report(std::size_t number) {
  Producer& producer = producers_[number];
  producer.begun = std::min(producer.tells.size(), producer.begun + below(3));
  if (!faulty_) producer.begun = producer.tells.size();
  if (steady_ < producer.next_push) return;
  Push push{number, {}};
  for (std::size_t i = 0; i < producer.begun && push.which.size() < kPushRuns; ++i)
    if (!producer.tells[i].delivered && !one_in(4)) push.which.push_back(i);
  if (push.which.empty()) return;
  ++tally_.pushes;
  producer.next_push = steady_ + static_cast<Nanos>(below(kRepeatAfter));
  std::shuffle(push.which.begin(), push.which.end(), random_);
  travel(pushes_, push, tally_.lost);
}

void World::travel(std::multimap<Nanos, Push>& by, const Push& push, std::uint64_t& lost) {
  if (faulty_ && one_in(6)) {
    ++lost;
    return;
  }
  const std::uint64_t copies = faulty_ && one_in(5) ? 2 : 1;
  tally_.doubled += copies - 1;
  for (std::uint64_t i = 0; i < copies; ++i) by.emplace(steady_ + static_cast<Nanos>(below(kSlowest)), push);
}

void World::take_answers() {
  for (auto at = answers_.begin(); at != answers_.end() && at->first <= steady_; at = answers_.erase(at))
    for (const std::size_t i : at->second.which) producers_[at->second.producer].tells[i].delivered = true;
}

// While it is down what arrives is gone.
void World::serve() {
  if (!machine_.up()) {
    tally_.power_losses += disk_.on() ? 0 : 1;
    machine_.restart(Disk::After::kPowerLoss);
    if (faulty_ && one_in(4)) disk_.lose_power_after(below(60), true);
    (void)machine_.open(faults_);
  }
  if (machine_.up() && keeping_house_) keep_house();
  if (machine_.up() && !keeping_house_) return commit_group();
  pushes_.erase(pushes_.begin(), pushes_.upper_bound(steady_));
}

void World::commit_group() {
  std::vector<Run> runs;
  std::vector<Push> group;
  for (auto at = pushes_.begin(); at != pushes_.end() && at->first <= steady_ && runs.size() < kGroupRuns;) {
    for (const std::size_t i : at->second.which) runs.push_back(producers_[at->second.producer].tells[i].run);
    group.push_back(std::move(at->second));
    at = pushes_.erase(at);
  }
  if (runs.empty()) return;
  const auto applied = machine_.commit(runs, wall_, faults_);
  if (!applied) return;
  for (const aggregator::Applied one : *applied) tally_.repeats += one == aggregator::Applied::kDuplicate ? 1 : 0;
  for (const Push& push : group) travel(answers_, push, tally_.answers_lost);
}

void World::keep_house() {
  if (!machine_.keep_house(*keeping_house_, faults_)) return;
  ++tally_.houses;
  keeping_house_.reset();
}

bool World::all_delivered() const {
  return std::ranges::all_of(producers_, [](const Producer& producer) {
    return std::ranges::all_of(producer.tells, [](const Told& told) { return told.delivered; });
  });
}

// Against the store that lived through the same commits, and against one that took everything once, in order, and never
// heard of time: what has expired is in the sums for good.
void World::check() {
  if (!all_delivered()) return faults_.push_back("not everything is delivered");
  machine_.check(true, faults_);
  aggregator::MemoryStore once;
  std::vector<Run> all;
  for (const Producer& producer : producers_)
    for (const Told& told : producer.tells) all.push_back(told.run);
  if (!once.commit(all, 0).ok()) faults_.push_back("the model refuses a commit");
  compare_sums(machine_.store(), once, faults_);
  const StoredRuns stored = runs_of(machine_.store(), faults_);
  for (const auto& [id, run] : runs_of(once, faults_)) {
    const auto found = stored.find(id);
    if (found == stored.end() ? !retained(run) : found->second != run)
      faults_.push_back(id.text() + " is not stored as everything told of it says");
  }
}

}  // namespace kleptometrics::fault
