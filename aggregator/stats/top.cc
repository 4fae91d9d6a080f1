#include "aggregator/stats/top.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kleptometrics::aggregator::stats {
namespace {

constexpr std::array<std::pair<std::string_view, Rank>, 6> kRanks = {{{"median", Rank::kMedian},
                                                                      {"p95", Rank::kP95},
                                                                      {"max", Rank::kMax},
                                                                      {"total", Rank::kTotal},
                                                                      {"failures", Rank::kFailures},
                                                                      {"delays", Rank::kDelays}}};
const std::vector<State> kMeasured = {State::kSucceeded};

struct Candidate {
  JobDurations of;
  double value;
};

// Above 0, or none.
std::optional<double> count_of(std::uint64_t count) {
  if (count == 0) return std::nullopt;
  return static_cast<double>(count);
}

std::optional<double> total_of(const Distribution& values) {
  if (values.count == 0) return std::nullopt;
  const TimeSums::Wide whole = values.times.sum / kNanosPerSecond;
  const auto rest = static_cast<double>(static_cast<std::uint64_t>(values.times.sum % kNanosPerSecond));
  return static_cast<double>(whole) + rest / static_cast<double>(kNanosPerSecond);
}

std::optional<double> value_of(const Rollup& durations, Rank rank) {
  switch (rank) {
    case Rank::kMedian:
      return stats_of(durations, kMeasured).median;
    case Rank::kP95:
      return stats_of(durations, kMeasured).p95;
    case Rank::kMax:
      return stats_of(durations, kMeasured).max;
    case Rank::kTotal:
      return total_of(durations.of(State::kSucceeded).values);
    case Rank::kFailures:
      return count_of(durations.of(State::kFailed).runs + durations.of(State::kCrashed).runs);
    case Rank::kDelays:
      return count_of(durations.late());
  }
  return std::nullopt;
}

bool before(const Candidate& a, const Candidate& b) {
  return a.value != b.value ? a.value > b.value : *a.of.job < *b.of.job;
}

}  // namespace

std::string_view name_of(Rank rank) {
  for (const auto& [name, value] : kRanks) {
    if (value == rank) return name;
  }
  return "unknown";
}

std::optional<Rank> rank_named(std::string_view name) {
  for (const auto& [spelling, rank] : kRanks) {
    if (spelling == name) return rank;
  }
  return std::nullopt;
}

Top top_of(std::vector<JobDurations> jobs, Rank rank, std::size_t limit) {
  std::vector<Candidate> candidates;
  candidates.reserve(jobs.size());
  for (const JobDurations& job : jobs) {
    if (const auto value = value_of(*job.durations, rank)) candidates.push_back({job, *value});
  }
  const std::size_t shown = std::min(limit, candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(shown), candidates.end(),
                    before);
  Top top;
  for (std::size_t at = 0; at < shown; ++at) {
    const Candidate& one = candidates[at];
    top.jobs.push_back({*one.of.job, one.value, stats_of(*one.of.durations, kMeasured)});
  }
  return top;
}

}  // namespace kleptometrics::aggregator::stats
