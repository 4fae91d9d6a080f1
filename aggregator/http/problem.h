// Errors as RFC 9457 problem documents (application/problem+json): `type`, `title`, `status`, `detail`, and
// `field` where one is at fault. Handlers return these; nothing else makes an answer of 400 and above. Pure
// functions: any thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "aggregator/http/message.h"
#include "aggregator/ingest/committer.h"
#include "aggregator/model/run.h"

namespace kleptometrics::aggregator::http {

// `detail` is a sentence for a person; 503 carries `Retry-After: 1`.
Response problem(int status, std::string_view detail, std::string_view field = {});

// 400, naming the field.
Response problem(const FieldError& error);

// InvalidArgument and OutOfRange 400, NotFound 404, AlreadyExists and Aborted 409, ResourceExhausted 413,
// Unavailable 503; everything else, FailedPrecondition too, is a fault of ours: 500. Requires !status.ok().
Response problem(const absl::Status& status);

// A command that was not taken. Rejected: 400, 404 or 409 by its reason; deferred: 503.
Response problem(const Outcome& outcome);

}  // namespace kleptometrics::aggregator::http
