// Rollups for the tests of their bytes: the same every time, on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aggregator/stats/rollup.h"
#include "tests/aggregator/stats/random_runs.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

struct SampleRollup {
  std::string name;
  aggregator::stats::Rollup rollup;
};

inline aggregator::stats::Rollup rollup_of(const std::vector<aggregator::Run>& runs, std::string_view series) {
  aggregator::stats::Rollup rollup;
  for (const aggregator::Run& run : runs) rollup.add(run, aggregator::stats::series_named(series).value());
  return rollup;
}

// A run of 61.25 s whose id, of version 7, was made 0.4 ms before it started.
inline aggregator::Run library_run() {
  aggregator::Run run = finished(started("job", 1, kStart + 5'400'000), seconds(61.25));
  const auto millis = static_cast<std::uint64_t>((kStart + 5'000'000) / 1'000'000);
  for (unsigned i = 0; i < 6; ++i) run.id.bytes[5 - i] = static_cast<std::uint8_t>(millis >> (8 * i));
  run.id.bytes[6] = 0x7a;
  run.id.bytes[8] = 0x9b;
  return run;
}

// Of whole seconds. The counters are 0, 1, 2 and so on: the mean of the first is known without rounding.
inline std::vector<aggregator::Run> plain_runs(std::uint32_t count) {
  using aggregator::State;
  std::vector<aggregator::Run> runs;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Nanos at = kStart + i * 600 * kNanosPerSecond;
    runs.push_back(finished(started("job", i + 1, at), (60 + (i * i) % 37) * kNanosPerSecond,
                            i % 10 == 7 ? State::kFailed : State::kSucceeded));
    runs.back().scheduled_at = at - (i % 3) * 45 * kNanosPerSecond;
    runs.back().counters["records"] = i;
  }
  return runs;
}

// Their bytes lie beside the tests under golden/, by name: a name never gets other bytes.
inline std::vector<SampleRollup> sample_rollups() {
  using aggregator::State;
  const aggregator::Run before_1970 = finished(started("job", 9, -kNanosPerSecond), 0, State::kCrashed);
  aggregator::stats::Rollup counted;
  counted.count(library_run());
  return {{"empty", {}},
          {"one", rollup_of({library_run()}, "duration")},
          {"one_of_zero", rollup_of({before_1970}, "duration")},
          {"two", rollup_of(plain_runs(2), "duration")},
          {"counted", counted},
          {"day", rollup_of(plain_runs(144), "duration")},
          {"delays", rollup_of(plain_runs(144), "start_delay")},
          {"one_number", rollup_of({plain_runs(2)[1]}, "counter:records")},
          {"numbers", rollup_of(plain_runs(7), "counter:records")},
          {"one_ratio", rollup_of({plain_runs(2)[1]}, "seconds_per:records")}};
}

}  // namespace kleptometrics::fakes
