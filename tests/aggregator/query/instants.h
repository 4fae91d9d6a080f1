// Instants as tests like to write and read them.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "lib/base/instant.h"
#include "tests/support/catch.h"

namespace kleptometrics::aggregator::query {

// `2024-03-31T01:00:00Z`, or with an offset.
inline Nanos at(const std::string& text) {
  absl::Time time;
  std::string error;
  REQUIRE(absl::ParseTime(absl::RFC3339_full, text, &time, &error));
  return absl::ToUnixNanos(time);
}

}  // namespace kleptometrics::aggregator::query
