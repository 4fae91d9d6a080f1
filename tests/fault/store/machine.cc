#include "tests/fault/store/machine.h"

#include <algorithm>
#include <utility>

#include "aggregator/store/sqlite/sqlite_store.h"
#include "tests/fault/store/answers.h"

namespace kleptometrics::fault {

using aggregator::Applied;
using aggregator::JobSpec;
using aggregator::Run;
using aggregator::Store;

bool Machine::open(Faults& faults) {
  failed_ = false;
  auto opened = aggregator::open_sqlite(path_, {.vfs = disk_.vfs(), .settle_runs = settle_runs_, .readers = 2});
  if (!opened.ok()) {
    if (disk_.on() && !absl::IsUnavailable(opened.status())) faults.push_back(opened.status().ToString());
    return false;
  }
  store_ = *std::move(opened);
  if (keeping_house_) return true;
  Faults found;
  const bool settled = settle_doubt(found);
  if (!disk_.on()) return false;  // then what was read says nothing
  faults.insert(faults.end(), found.begin(), found.end());
  return settled;
}

// Whole commits only: what was in doubt is there, or none of it is.
bool Machine::settle_doubt(Faults& faults) {
  if (!doubtful_.empty()) {
    Faults without;
    const bool equal = equal_runs(without);
    if (!disk_.on()) return false;
    if (!equal && !model_.commit(doubtful_, doubtful_at_).ok()) faults.push_back("the model refuses a commit");
  }
  if (doubtful_spec_) {
    const auto heads = store_->jobs(doubtful_spec_->name);
    if (!disk_.on()) return false;
    const bool is = heads.ok() && !heads->empty() && heads->front().spec == doubtful_spec_->spec;
    if (is) (void)model_.put_job(doubtful_spec_->name, doubtful_spec_->spec);
  }
  const bool equal = equal_runs(faults);
  if (!disk_.on()) return false;
  doubtful_.clear();
  doubtful_spec_.reset();
  return equal;
}

bool Machine::equal_runs(Faults& faults) {
  const std::size_t before = faults.size();
  const StoredRuns ours = runs_of(*store_, faults);
  const StoredRuns theirs = runs_of(model_, faults);
  for (const auto& [id, run] : theirs) {
    const auto found = ours.find(id);
    if (found == ours.end()) {
      faults.push_back(id.text() + " is lost");
    } else if (found->second != run) {
      faults.push_back(id.text() + " is stored otherwise than it was acknowledged");
    }
  }
  for (const auto& [id, run] : ours)
    if (!theirs.contains(id)) faults.push_back(id.text() + " is stored and was not acknowledged");
  return faults.size() == before;
}

std::optional<std::vector<Applied>> Machine::commit(const std::vector<Run>& runs, Nanos now, Faults& faults) {
  const auto applied = store_->commit(runs, now);
  if (applied.ok()) {
    const auto expected = model_.commit(runs, now);
    if (!expected.ok() || *applied != *expected) faults.push_back("a commit is answered otherwise than by the model");
    return *applied;
  }
  if (disk_.on() && absl::IsUnavailable(applied.status())) return std::nullopt;  // nothing was applied
  failed_ = true;
  doubtful_ = runs;
  doubtful_at_ = now;
  return std::nullopt;
}

void Machine::put_job(const std::string& name, const JobSpec& spec, Faults& faults) {
  const absl::Status status = store_->put_job(name, spec);
  if (status.ok()) {
    if (!model_.put_job(name, spec).ok()) faults.push_back("the model refuses a job");
    return;
  }
  if (disk_.on() && absl::IsUnavailable(status)) return;
  failed_ = true;
  doubtful_spec_ = Spec{name, spec};
}

bool Machine::keep_house(Nanos now, Faults& faults) {
  constexpr int kSlicesMax = 10'000;
  keeping_house_ = now;
  for (int slice = 0; slice < kSlicesMax; ++slice) {
    const auto done = store_->maintain(now, true);
    if (!done.ok()) {
      failed_ = !disk_.on() || !absl::IsUnavailable(done.status());
      return false;
    }
    if (done->more) continue;
    keeping_house_.reset();
    while (model_.maintain(now, true)->more) {
    }
    return true;
  }
  faults.push_back("housekeeping does not come to an end");
  return false;
}

void Machine::restart(Disk::After after) {
  disk_.lose_power();
  store_.reset();
  disk_.restart(after);
}

void Machine::check(bool sums, Faults& faults) {
  (void)equal_runs(faults);
  verify(*store_, faults);
  check_integrity(path_, disk_.vfs(), faults);
  if (!sums) return;
  compare_sums(*store_, model_, faults);
  compare_heads(*store_, model_, faults);
}

}  // namespace kleptometrics::fault
