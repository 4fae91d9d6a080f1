// What a job is meant to be, as its owner says: a plain value. A job without one is known by its runs alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/model/run.h"

namespace kleptometrics::aggregator {

// A time in which nothing that happens to the job, or fails to, is worth an alert.
struct MaintenanceWindow {
  Nanos since = 0;  // of one that comes once: half-open
  Nanos until = 0;
  std::string cron{};  // of one that returns: when it begins, in the job's time zone; empty: it comes once
  Nanos duration = 0;  // of one that returns
  bool operator==(const MaintenanceWindow&) const = default;
};

// Times are nanoseconds. Cron expressions and the zone are checked by whoever reads them (aggregator/schedule).
struct JobSpec {
  std::string description{};
  std::vector<std::string> tags{};   // sorted, each once
  std::uint32_t retention_days = 0;  // how long single runs are kept after their end; 0: for ever
  // When runs are expected to start: at most one of the two; neither: whenever they do.
  std::string cron{};
  Nanos interval = 0;                           // from one start to the next
  std::string timezone{};                       // IANA name; empty: UTC
  Nanos grace = 60 * kNanosPerSecond;           // start delay that is still on time
  Nanos max_duration = 0;                       // a run that takes longer overruns; 0: none
  Nanos min_duration = 0;                       // a run that succeeds sooner is too short; 0: none
  std::uint32_t failures_before_alert = 1;      // in a row
  std::uint32_t successes_before_recovery = 1;  // in a row
  std::vector<MaintenanceWindow> maintenance{};
  // Until when the job is not expected to run: no part of what its owner replaces. kNanosEnd: until it is resumed.
  std::optional<Nanos> paused_until{};
  bool scheduled() const { return !cron.empty() || interval != 0; }
  bool operator==(const JobSpec&) const = default;
};

// Whether the job is not expected to run, by its owner's word.
inline bool paused(const JobSpec& spec, Nanos at) { return spec.paused_until && at < *spec.paused_until; }

// Everything that the limits (lib/base/limits.h) and the meaning of the fields ask, but whether a cron expression or a
// zone can be read; nullopt if it is fine, else the first fault.
std::optional<FieldError> validate(const JobSpec& spec);

}  // namespace kleptometrics::aggregator
