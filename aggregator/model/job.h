// What a job is meant to be, as its owner says: a plain value. A job without one is known by its runs alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator {

struct JobSpec {
  std::string description{};
  std::vector<std::string> tags{};   // sorted, each once
  std::uint32_t retention_days = 0;  // how long single runs are kept after their end; 0: for ever
  bool operator==(const JobSpec&) const = default;
};

// nullopt if it is fine, else the first fault.
std::optional<FieldError> validate(const JobSpec& spec);

}  // namespace kleptometrics::aggregator
