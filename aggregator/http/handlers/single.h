// What handlers of one run have in common: its id from the path, and one command to the committer with
// the run as the answer.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "aggregator/http/message.h"
#include "aggregator/ingest/committer.h"
#include "lib/base/uuid.h"

namespace kleptometrics::aggregator::http {

// `{id}` of the path, or 400.
std::variant<Uuid, Response> run_id_of(const Request& request);

// 400 unless it is the name of a job.
std::optional<Response> refuse_job_name(const std::string& job);

// Submits and waits. The run as it then stands: 201 with its Location if it was unknown before, else 200; or
// the problem. Requires a ReportRun or a PatchRun.
Response submit_one(Committer& committer, Command command);

}  // namespace kleptometrics::aggregator::http
