// What jobs are expected to take, learned from their newest runs, and when those that are running will end.
#include <map>
#include <utility>

#include "aggregator/query/query.h"
#include "aggregator/query/sides.h"

namespace kleptometrics::aggregator::query {

absl::StatusOr<stats::Expectation> Query::expectation(const std::string& job) {
  Side newest;
  newest.filter.job = job;
  newest.filter.states = {State::kSucceeded};
  newest.count = stats::kLearnedRuns;
  stats::Learner learner;
  const auto visited = visit_newest(store_, newest, [&learner](const Run& run) { learner.add(run); });
  if (!visited.ok()) return visited.status();
  return learner.finish();
}

absl::StatusOr<std::optional<stats::Eta>> Query::eta(const Run& run, Nanos now) {
  if (terminal(run.state)) return std::nullopt;
  const auto expected = expectation(run.job);
  if (!expected.ok()) return expected.status();
  return stats::eta_of(run, *expected, now);
}

absl::StatusOr<std::vector<std::optional<stats::Eta>>> Query::etas(const std::vector<Run>& runs, Nanos now) {
  std::vector<std::optional<stats::Eta>> out(runs.size());
  std::map<std::string, stats::Expectation> learned;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (terminal(runs[i].state)) continue;
    auto found = learned.find(runs[i].job);
    if (found == learned.end()) {
      if (learned.size() == kEtaJobsMax) continue;
      auto expected = expectation(runs[i].job);
      if (!expected.ok()) return expected.status();
      found = learned.emplace(runs[i].job, *std::move(expected)).first;
    }
    out[i] = stats::eta_of(runs[i], found->second, now);
  }
  return out;
}

}  // namespace kleptometrics::aggregator::query
