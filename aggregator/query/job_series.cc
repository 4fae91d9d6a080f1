#include "aggregator/query/job_series.h"

#include <utility>

#include "aggregator/query/add_up.h"

namespace kleptometrics::aggregator::query {
namespace {

bool forgotten(const JobHead& head, Nanos now) {
  if (head.running) return false;
  return !head.last_run || head.last_run->started_at < now - kForgottenAfter;
}

Nanos end_of(const Run& run) { return run.finished_at.value_or(run.started_at + run.duration.value_or(0)); }

bool ended_so(const Run& run, bool succeeded) {
  return succeeded ? run.state == State::kSucceeded : run.state == State::kFailed || run.state == State::kCrashed;
}

}  // namespace

absl::Status SeriesReader::find_end(const JobHead& head, bool succeeded, std::uint64_t runs, std::size_t& looks,
                                    Known& known) {
  if (head.last_run && ended_so(*head.last_run, succeeded)) {
    known = {runs, end_of(*head.last_run)};
    return absl::OkStatus();
  }
  if (runs == 0) known = {};
  if (known.runs == runs || looks == kLooksMax) return absl::OkStatus();
  ++looks;
  RunFilter filter{.job = head.name};
  filter.states = succeeded ? std::vector{State::kSucceeded} : std::vector{State::kFailed, State::kCrashed};
  const auto page = store_.runs(filter, std::nullopt, 1);
  if (!page.ok()) return page.status();
  // Where none is found it has expired, and what is known stays, unless it was of a run that was taken out.
  if (!page->runs.empty()) {
    known.at = end_of(page->runs.front());
  } else if (runs < known.runs) {
    known.at.reset();
  }
  known.runs = runs;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JobSeries>> SeriesReader::read(Nanos now) {
  const auto heads = store_.jobs();
  if (!heads.ok()) return heads.status();
  PlaceOfJob places;
  const auto plan = add_up(store_, {}, {}, {}, places);
  if (!plan.ok()) return plan.status();
  std::vector<JobSeries> all;
  std::map<std::string, Ends> ends;
  std::size_t looks = 0;
  const Lock lock(mutex_);
  for (const JobHead& head : *heads) {
    if (forgotten(head, now)) continue;
    JobSeries& job = all.emplace_back();
    job.name = head.name;
    job.running = head.running;
    if (head.last_run) job.dropped = head.last_run->dropped;
    if (const auto sum = places.sums().find(head.name); sum != places.sums().end()) job.durations = sum->second;
    Ends its;
    if (const auto known = ends_.find(head.name); known != ends_.end()) its = known->second;
    const auto runs = [&job](State state) { return job.durations.of(state).runs; };
    absl::Status status = find_end(head, true, runs(State::kSucceeded), looks, its.success);
    if (status.ok()) status = find_end(head, false, runs(State::kFailed) + runs(State::kCrashed), looks, its.failure);
    if (!status.ok()) return status;
    job.last_success = its.success.at;
    job.last_failure = its.failure.at;
    ends.emplace_hint(ends.end(), head.name, its);
  }
  ends_ = std::move(ends);
  return all;
}

}  // namespace kleptometrics::aggregator::query
