// What tests of stores have in common that several processes commit to at once: runs whose snapshots meet, and the sums
// of two stores compared byte for byte.
#pragma once

#include <algorithm>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/memory_store.h"
#include "aggregator/wire/rollups.h"
#include "tests/aggregator/store/fixture.h"

namespace kleptometrics::aggregator {

// All rollups of a series by job and start, as bytes: of numbers without the moments, which round.
class RollupBytes final : public Pieces {
 public:
  using Bytes = std::map<std::pair<std::string, Nanos>, std::string>;
  static Bytes of(Store& store, const char* name, Stretch::By by) {
    RollupBytes rollups(*stats::series_named(name), by);
    SummaryRequest request;
    request.series = rollups.asked_;
    request.stretches.push_back({by});
    REQUIRE(store.summarize(request, rollups) == absl::OkStatus());
    Bytes bytes;
    for (auto& [key, sum] : rollups.sums_) {
      for (auto& outcome : sum.outcomes) {
        outcome.values.numbers = {};
        if (!rollups.asked_.durations()) outcome.runs = outcome.late = 0;
      }
      const std::string encoded = wire::encode_rollup(sum);
      if (!encoded.empty()) bytes[key] = encoded;
    }
    return bytes;
  }

  void rollup(const std::string& job, Nanos start, const stats::Series& series, const stats::Rollup& piece) override {
    if (series == asked_) sums_[{job, start}].merge(piece);
  }
  void run(const Run& run) override {
    sums_[{run.job, by_ == Stretch::By::kAll ? 0 : start_of(run.started_at, stats::Resolution::kDay)}].add(run, asked_);
  }

 private:
  RollupBytes(stats::Series asked, Stretch::By by) : asked_(std::move(asked)), by_(by) {}
  const stats::Series asked_;
  const Stretch::By by_;
  std::map<std::pair<std::string, Nanos>, stats::Rollup> sums_;
};

inline void require_same_sums(Store& store, Store& model) {
  for (const char* const name : {"duration", "start_delay", "counter:rows", "step:load"}) {
    for (const Stretch::By by : {Stretch::By::kAll, Stretch::By::kDay}) {
      CAPTURE(name);
      REQUIRE(RollupBytes::of(store, name, by) == RollupBytes::of(model, name, by));
    }
  }
}

// Every run, sums, and what the store finds of itself.
inline void require_same(Store& store, Store& model) {
  std::size_t found = 0;
  const auto same = [&](const Run& run) {
    ++found;
    REQUIRE(run == must(model.run(run.id)));
  };
  REQUIRE(store.scan({}, same) == absl::OkStatus());
  std::size_t expected = 0;
  REQUIRE(model.scan({}, [&](const Run&) { ++expected; }) == absl::OkStatus());
  REQUIRE(found == expected);
  require_same_sums(store, model);
  REQUIRE(must(store.verify(5)) == std::vector<std::string>());
}

// Snapshots of runs that meet: begun, judged dead, ended one way and another.
inline std::vector<Run> meeting_snapshots(std::uint32_t count) {
  using fakes::seconds;
  std::mt19937 random(7);
  std::vector<Run> all;
  for (std::uint32_t number = 0; number < count; ++number) {
    Run run = fakes::started("job" + std::to_string(number % 3), number, fakes::kStart + seconds(number * 600));
    run.scheduled_at = run.started_at - seconds(static_cast<double>(random() % 100));
    run.counters["rows"] = static_cast<double>(random() % 50) / 4;
    Step step;
    step.name = "load";
    step.count = 1;
    step.total = step.min = step.max = 1 + random() % 1000;
    step.sketch.add(step.total);
    run.steps.push_back(step);
    all.push_back(run);
    if (number % 3 == 0) all.push_back(verdict_on(run));
    run = fakes::finished(run, seconds(static_cast<double>(1 + random() % 90)),
                          number % 4 == 0 ? State::kFailed : State::kSucceeded);
    all.push_back(run);
    if (number % 5 == 0) {
      run = fakes::finished(run, seconds(static_cast<double>(1 + random() % 90)));
      all.push_back(run);
    }
    if (number % 7 == 0) all.push_back(annotated(run, 1));
  }
  return all;
}

// Runs `first` to `first + count - 1`, each told of once, when it had ended.
inline std::vector<Run> ended_runs(std::uint32_t first, std::uint32_t count) {
  std::vector<Run> runs;
  for (std::uint32_t i = first; i < first + count; ++i) {
    const Run run = fakes::started("job" + std::to_string(i % 4), i, fakes::kStart + fakes::seconds(i));
    runs.push_back(fakes::finished(run, fakes::seconds(1 + i % 100), i % 9 == 0 ? State::kFailed : State::kSucceeded));
  }
  return runs;
}

}  // namespace kleptometrics::aggregator
