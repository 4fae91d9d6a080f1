// Runs for tests: small, valid, told apart by a number.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "aggregator/model/run.h"
#include "lib/base/clock.h"
#include "lib/base/uuid.h"

namespace kleptometrics::fakes {

inline constexpr Nanos kStart = 1'700'000'000 * kNanosPerSecond;  // as FakeClock's wall clock begins

inline Nanos seconds(double value) { return static_cast<Nanos>(value * static_cast<double>(kNanosPerSecond)); }

// Ids compare as their numbers do.
inline Uuid id_of(std::uint32_t number) {
  Uuid id;
  id.bytes[0] = 1;
  for (unsigned i = 0; i < 4; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

// A snapshot by the client library of a run that is open.
inline aggregator::Run started(std::string job, std::uint32_t number, Nanos at = kStart) {
  aggregator::Run run;
  run.id = id_of(number);
  run.job = std::move(job);
  run.revision = 1;
  run.started_at = at;
  return run;
}

// The same run ended: the revision after.
inline aggregator::Run finished(aggregator::Run run, Nanos duration,
                                aggregator::State state = aggregator::State::kSucceeded) {
  run.state = state;
  ++run.revision;
  run.duration = duration;
  run.finished_at = run.started_at + duration;
  return run;
}

}  // namespace kleptometrics::fakes
