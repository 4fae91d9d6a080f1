// What a job is meant to be, as stores keep it. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/model/job.h"

namespace kleptometrics::aggregator::wire {

std::string encode_job_spec(const JobSpec& spec);
// DataLoss if the bytes are not that; none at all are those of a job of which nothing was said.
absl::StatusOr<JobSpec> decode_job_spec(std::string_view bytes);

}  // namespace kleptometrics::aggregator::wire
