// Chunks for the tests of their bytes: the same every time, on every machine. The bytes lie beside the tests under
// golden/, by name: a name never gets other bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aggregator/wire/chunk.h"
#include "tests/aggregator/model/full_run.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

inline Uuid version_7(std::uint32_t number, Nanos at) {
  Uuid id = id_of(number);
  const auto millis = static_cast<std::uint64_t>(at / 1'000'000);
  for (unsigned i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
  id.bytes[6] = 0x70;
  id.bytes[8] = 0x80;
  return id;
}

// Plain runs of two jobs, a second apart.
inline std::vector<aggregator::Run> plain_runs_of_two_jobs(std::uint32_t count) {
  std::vector<aggregator::Run> runs;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Nanos at = kStart + seconds(i);
    runs.push_back(finished(started(i < count / 2 ? "a" : "b", i, at), seconds(60 + i)));
    runs.back().id = version_7(i, at);
    runs.back().host = "host";
  }
  return runs;
}

// Of two jobs and five hosts, with times to the nanosecond, a schedule, counters and resources; some lack some of them.
inline std::vector<aggregator::Run> measured_runs(std::uint32_t count) {
  std::vector<aggregator::Run> runs = plain_runs_of_two_jobs(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    aggregator::Run& run = runs[i];
    run.started_at += i * i * 7'919;
    run.duration = *run.duration + i * 104'729;
    run.finished_at = run.started_at + *run.duration + (i % 7) * 100 - 300;
    run.host = "worker-" + std::to_string(i % 5) + ".example.net";
    run.pid = 1000 + i;
    if (i % 50 == 9) run.state = aggregator::State::kFailed;
    if (i % 9 != 4) run.scheduled_at = run.started_at - i * 1'000'003 + 2'000'000;
    if (i % 4 != 3) run.counters = {{"bytes", 4096.0 * i}, {"ratio", 0.5 + i}, {"rows", i % 3}};
    if (i % 3 != 1) run.resources = {*run.duration / 3U, *run.duration / 17U, (64U + i) << 20U, 0, i % 2U};
  }
  return runs;
}

struct SampleChunk {
  std::string name;
  std::vector<aggregator::Run> runs;
  std::vector<Uuid> gone;

  // Every third slot from 1; those of odd number are counted in their hour; a minute between two commits.
  std::vector<aggregator::wire::Chunked> chunked() const {
    std::vector<aggregator::wire::Chunked> all;
    for (std::uint32_t i = 0; i < runs.size(); ++i)
      all.push_back({&runs[i], 3 * i + 1, i % 2 != 0, kStart + i * seconds(60)});
    return all;
  }
};

inline std::vector<SampleChunk> sample_chunks() {
  std::vector<aggregator::Run> odd = plain_runs_of_two_jobs(6);
  odd.push_back(full_run());
  odd[0].duration.reset();
  odd[1].finished_at.reset();
  odd[2].scheduled_at = odd[2].started_at + seconds(5);  // early
  odd[3].finished_at = odd[3].started_at - 1;            // by a clock that was set back
  odd[4].counters = {{"half", 0.5}, {"minus", -3}, {"rows", 1e18}};
  odd[5].counters = {{"rows", 7}};
  odd[5].revision = ~std::uint64_t{0};
  odd[5].resources.max_rss_bytes = 0;
  return {{"chunk_empty", {}, {}},
          {"chunk_plain", plain_runs_of_two_jobs(40), {}},
          {"chunk_measured", measured_runs(40), {id_of(1), id_of(2)}},
          {"chunk_odd", odd, {id_of(3)}}};
}

}  // namespace kleptometrics::fakes
