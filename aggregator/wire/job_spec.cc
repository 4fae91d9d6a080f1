#include "aggregator/wire/job_spec.h"

#include "kleptometrics/v1/store.pb.h"

namespace kleptometrics::aggregator::wire {

std::string encode_job_spec(const JobSpec& spec) {
  v1::JobSpec out;
  out.set_description(spec.description);
  for (const std::string& tag : spec.tags) out.add_tags(tag);
  out.set_retention_days(spec.retention_days);
  return out.SerializeAsString();
}

absl::StatusOr<JobSpec> decode_job_spec(std::string_view bytes) {
  v1::JobSpec in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("what a job is meant to be is damaged");
  }
  return JobSpec{in.description(), {in.tags().begin(), in.tags().end()}, in.retention_days()};
}

}  // namespace kleptometrics::aggregator::wire
