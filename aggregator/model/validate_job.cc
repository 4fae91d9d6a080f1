// The door check of what a job is meant to be: one small function a group of fields, tried in order.
#include <cstddef>
#include <cstdint>

#include "aggregator/model/checks.h"
#include "aggregator/model/job.h"
#include "lib/base/limits.h"

namespace kleptometrics::aggregator {
namespace {

using checks::check_name;
using checks::check_text;
using checks::Fault;
using checks::fault;

constexpr Nanos kDay = 86'400 * kNanosPerSecond;
constexpr Nanos kLengthMax = static_cast<Nanos>(limits::job_length_days_max) * kDay;
constexpr Nanos kIntervalMin = kNanosPerSecond;

Fault check_length(const std::string& field, Nanos length) {
  if (length < 0) return fault(field, field + " is negative");
  if (length <= kLengthMax) return std::nullopt;
  return fault(field,
               field + " is longer than the " + std::to_string(limits::job_length_days_max) + " days that are allowed");
}

Fault check_cron(const std::string& field, const std::string& cron) {
  if (auto error = check_text(field, cron, limits::cron_bytes_max)) return error;
  if (has_control(cron)) return fault(field, field + " is " + quoted(cron) + ", which has a control character");
  return std::nullopt;
}

Fault check_description(const JobSpec& spec) {
  return check_text("description", spec.description, limits::description_bytes_max);
}

Fault check_tags(const JobSpec& spec) {
  if (spec.tags.size() > limits::tag_count_max) {
    return fault("tags", "the job has " + std::to_string(spec.tags.size()) + " tags; at most " +
                             std::to_string(limits::tag_count_max) + " are allowed");
  }
  for (const std::string& tag : spec.tags) {
    if (auto error = check_name("tags", tag, limits::tag_bytes_max)) return error;
  }
  return std::nullopt;
}

Fault check_retention(const JobSpec& spec) {
  if (spec.retention_days <= limits::retention_days_max) return std::nullopt;
  return fault("retention_days", "retention_days is " + std::to_string(spec.retention_days) + "; at most " +
                                     std::to_string(limits::retention_days_max) + " are allowed, 0 keeps for ever");
}

Fault check_schedule(const JobSpec& spec) {
  if (!spec.cron.empty() && spec.interval != 0) {
    return fault("schedule", "schedule has cron and interval_seconds; a job has one of the two");
  }
  if (auto error = check_cron("schedule.cron", spec.cron)) return error;
  if (auto error = check_length("schedule.interval_seconds", spec.interval)) return error;
  if (spec.interval != 0 && spec.interval < kIntervalMin) {
    return fault("schedule.interval_seconds", "schedule.interval_seconds is less than 1");
  }
  if (spec.timezone.empty()) return std::nullopt;
  return check_name("timezone", spec.timezone, limits::timezone_bytes_max);
}

Fault check_expectations(const JobSpec& spec) {
  if (auto error = check_length("grace_seconds", spec.grace)) return error;
  if (auto error = check_length("max_duration_seconds", spec.max_duration)) return error;
  if (auto error = check_length("min_duration_seconds", spec.min_duration)) return error;
  if (spec.max_duration == 0 || spec.min_duration <= spec.max_duration) return std::nullopt;
  return fault("min_duration_seconds", "min_duration_seconds is more than max_duration_seconds");
}

Fault check_in_a_row(const std::string& field, std::uint32_t runs) {
  if (runs >= 1 && runs <= limits::runs_in_a_row_max) return std::nullopt;
  return fault(field, field + " is " + std::to_string(runs) + "; it must lie from 1 to " +
                          std::to_string(limits::runs_in_a_row_max));
}

Fault check_alerts(const JobSpec& spec) {
  if (auto error = check_in_a_row("failures_before_alert", spec.failures_before_alert)) return error;
  return check_in_a_row("successes_before_recovery", spec.successes_before_recovery);
}

Fault check_once(const std::string& field, const MaintenanceWindow& window) {
  if (window.duration != 0) return fault(field, field + " has duration_seconds without cron, which it belongs to");
  if (window.since < 0 || window.since >= kNanosEnd) return fault(field + ".since", field + ".since is out of range");
  if (window.until < 0 || window.until >= kNanosEnd) return fault(field + ".until", field + ".until is out of range");
  if (window.until > window.since) return std::nullopt;
  return fault(field + ".until", field + ".until is not after since");
}

Fault check_returning(const std::string& field, const MaintenanceWindow& window) {
  if (window.since != 0 || window.until != 0) {
    return fault(field, field + " has since or until, and cron; a window comes once or returns");
  }
  if (auto error = check_cron(field + ".cron", window.cron)) return error;
  if (auto error = check_length(field + ".duration_seconds", window.duration)) return error;
  if (window.duration > 0) return std::nullopt;
  return fault(field + ".duration_seconds", field + ".duration_seconds is missing or 0");
}

Fault check_maintenance(const JobSpec& spec) {
  if (spec.maintenance.size() > limits::maintenance_count_max) {
    return fault("maintenance", "the job has " + std::to_string(spec.maintenance.size()) +
                                    " maintenance windows; at most " + std::to_string(limits::maintenance_count_max) +
                                    " are allowed");
  }
  for (std::size_t i = 0; i < spec.maintenance.size(); ++i) {
    const MaintenanceWindow& window = spec.maintenance[i];
    const std::string field = "maintenance[" + std::to_string(i) + "]";
    if (auto error = window.cron.empty() ? check_once(field, window) : check_returning(field, window)) return error;
  }
  return std::nullopt;
}

Fault check_pause(const JobSpec& spec) {
  if (!spec.paused_until || (*spec.paused_until >= 0 && *spec.paused_until <= kNanosEnd)) return std::nullopt;
  return fault("until", "until is out of range");
}

}  // namespace

std::optional<FieldError> validate(const JobSpec& spec) {
  for (const auto check : {check_description, check_tags, check_retention, check_schedule, check_expectations,
                           check_alerts, check_maintenance, check_pause}) {
    if (auto error = check(spec)) return error;
  }
  return std::nullopt;
}

}  // namespace kleptometrics::aggregator
