// A run with every field set, for tests of what has to carry or check all of them.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "aggregator/model/run.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

inline aggregator::Step step_of(std::string name, std::initializer_list<std::uint64_t> times) {
  aggregator::Step step;
  step.name = std::move(name);
  for (const std::uint64_t time : times) {
    step.min = step.count == 0 ? time : std::min(step.min, time);
    step.max = std::max(step.max, time);
    step.total += time;
    ++step.count;
    step.sketch.add(time);
  }
  return step;
}

inline aggregator::Run full_run(std::uint32_t number = 1) {
  aggregator::Run run = finished(started("nightly-billing", number), seconds(90.5), aggregator::State::kFailed);
  run.revision = 7;
  run.attempt = 2;
  run.parent_id = id_of(number + 1'000'000);
  run.scheduled_at = run.started_at - seconds(3);
  run.progress = 0.75;
  run.exit_code = -9;
  run.failure = aggregator::Failure{aggregator::FailureKind::kSignal, "Segmentation fault\nin merge", 11};
  run.labels = {{"region", "eu-west"}, {"größe", "мир 🌍"}, {"empty", ""}};
  run.counters = {{"rows", 12345.5}, {"bytes read", -0.25}, {"zero", 0}};
  run.steps = {step_of("load", {1'000, 2'000, 0}), step_of("load/parse", {7}), step_of("merge", {})};
  run.steps[0].failed = 1;
  run.resources = {11, 12, 13, 0, 15};
  run.host = "batch-01";
  run.pid = 4242;
  run.program = "billing";
  run.version = "2.1.0";
  run.build_id = "7f3c0123456789abcdef";
  run.boot_id = "0c2d5be0-2f6b-4e52-9a3e-5d8f0c6d7a11";
  run.dropped = 17;
  return run;
}

}  // namespace kleptometrics::fakes
