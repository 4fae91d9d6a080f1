// Delays and alerts for tests: small, told apart by a number.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "aggregator/model/alert.h"
#include "tests/fakes/runs.h"

namespace kleptometrics::fakes {

inline aggregator::Alert raised(std::string job, std::uint32_t number, Nanos at = kStart,
                                aggregator::AlertKind kind = aggregator::AlertKind::kFailed) {
  aggregator::Alert alert;
  alert.id = id_of(number);
  alert.kind = kind;
  alert.job = std::move(job);
  alert.opened_at = at;
  alert.message = "number " + std::to_string(number);
  return alert;
}

inline aggregator::Delay delayed(std::string job, std::uint32_t number, Nanos at = kStart,
                                 aggregator::DelayKind kind = aggregator::DelayKind::kMissed) {
  aggregator::Delay delay;
  delay.id = id_of(number);
  delay.kind = kind;
  delay.job = std::move(job);
  delay.scheduled_at = at - seconds(60);
  delay.expected = seconds(60);
  delay.opened_at = at;
  return delay;
}

template <typename Finding>
Finding closed(Finding finding, Nanos at) {
  finding.closed_at = at;
  return finding;
}

}  // namespace kleptometrics::fakes
