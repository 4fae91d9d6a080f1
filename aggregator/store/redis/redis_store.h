// Runs kept by a Redis server, which several aggregators may share: see README.md in this folder. The door of the
// folder: everything else in it is its own.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "aggregator/store/store.h"

namespace kleptometrics::aggregator {

// `rest`: what follows `redis` in a URL as in url.h. InvalidArgument: it cannot be read, or this build has no Redis;
// NotFound: there is no store yet and one `must_exist`; FailedPrecondition: what is there is a newer build's, or the
// server is of a kind that cannot keep it; PermissionDenied: the server refuses user or password; Unavailable: it
// cannot be reached. No error shows a password.
absl::StatusOr<std::unique_ptr<Store>> open_redis(std::string_view rest, bool must_exist);

}  // namespace kleptometrics::aggregator
