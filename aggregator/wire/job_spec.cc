#include "aggregator/wire/job_spec.h"

#include <algorithm>

#include "kleptometrics/v1/store.pb.h"

namespace kleptometrics::aggregator::wire {
namespace {

const JobSpec kDefaults{};

void write(const MaintenanceWindow& window, v1::JobSpec::Window& out) {
  out.set_since_ns(window.since);
  out.set_until_ns(window.until);
  out.set_cron(window.cron);
  out.set_duration_ns(window.duration);
}

void write_expectations(const JobSpec& spec, v1::JobSpec& out) {
  out.set_cron(spec.cron);
  out.set_interval_ns(spec.interval);
  out.set_timezone(spec.timezone);
  if (spec.grace != kDefaults.grace) out.set_grace_ns(spec.grace);
  out.set_max_duration_ns(spec.max_duration);
  out.set_min_duration_ns(spec.min_duration);
  if (spec.failures_before_alert != 1) out.set_failures_before_alert(spec.failures_before_alert);
  if (spec.successes_before_recovery != 1) out.set_successes_before_recovery(spec.successes_before_recovery);
}

void read_expectations(const v1::JobSpec& in, JobSpec& spec) {
  spec.cron = in.cron();
  spec.interval = in.interval_ns();
  spec.timezone = in.timezone();
  if (in.has_grace_ns()) spec.grace = in.grace_ns();
  spec.max_duration = in.max_duration_ns();
  spec.min_duration = in.min_duration_ns();
  spec.failures_before_alert = std::max(1U, in.failures_before_alert());
  spec.successes_before_recovery = std::max(1U, in.successes_before_recovery());
}

}  // namespace

std::string encode_job_spec(const JobSpec& spec) {
  v1::JobSpec out;
  out.set_description(spec.description);
  for (const std::string& tag : spec.tags) out.add_tags(tag);
  out.set_retention_days(spec.retention_days);
  write_expectations(spec, out);
  for (const MaintenanceWindow& window : spec.maintenance) write(window, *out.add_maintenance());
  if (spec.paused_until) out.set_paused_until_ns(*spec.paused_until);
  return out.SerializeAsString();
}

absl::StatusOr<JobSpec> decode_job_spec(std::string_view bytes) {
  v1::JobSpec in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("what a job is meant to be is damaged");
  }
  JobSpec spec;
  spec.description = in.description();
  spec.tags.assign(in.tags().begin(), in.tags().end());
  spec.retention_days = in.retention_days();
  read_expectations(in, spec);
  for (const v1::JobSpec::Window& window : in.maintenance()) {
    spec.maintenance.push_back({window.since_ns(), window.until_ns(), window.cron(), window.duration_ns()});
  }
  if (in.has_paused_until_ns()) spec.paused_until = in.paused_until_ns();
  return spec;
}

}  // namespace kleptometrics::aggregator::wire
