// Runs of all outcomes with values in every measure, by a seed: the same every time, on every machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "aggregator/model/run.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

// Log-normal nearly enough, and the same with every library.
inline double spread(std::mt19937_64& random, double around) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<double>(random() % 2001U) / 1000 - 1;
  return around * std::exp(sum / 2);
}

inline aggregator::Run random_run(std::mt19937_64& random, std::uint32_t number) {
  using aggregator::State;
  static constexpr State kStates[] = {State::kSucceeded, State::kSucceeded, State::kSucceeded, State::kFailed,
                                      State::kCanceled,  State::kCrashed,   State::kRunning};
  const Nanos at = kStart + static_cast<Nanos>(random() % 1'000'000U) * kNanosPerSecond / 7;
  const Nanos duration = seconds(spread(random, 60));
  aggregator::Run run = finished(started("job", number, at), duration, kStates[random() % 7U]);
  if (random() % 3U != 0) run.scheduled_at = at - seconds(spread(random, 30));
  if (random() % 4U != 0) run.resources.cpu_user = random() % 100'000'000'000U;
  if (random() % 4U != 0) run.resources.max_rss_bytes = random() % 10'000'000'000U;
  const auto times = static_cast<double>(random() % 5U);
  if (random() % 4U != 0) run.counters["records"] = times * spread(random, 1000);
  if (random() % 9U == 0) run.duration.reset();
  if (random() % 2U == 0) {
    aggregator::Step step;
    step.name = "load/parse";
    step.count = 1;
    step.total = step.min = step.max = random() % 1'000'000'000U;
    run.steps.push_back(step);
  }
  return run;
}

inline std::vector<aggregator::Run> random_runs(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<aggregator::Run> runs;
  for (std::size_t i = 0; i < count; ++i) runs.push_back(random_run(random, static_cast<std::uint32_t>(i + 1)));
  return runs;
}

}  // namespace kleptometrics::fakes
