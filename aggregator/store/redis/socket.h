// The bytes between us and the server, each wait bounded by a deadline of the steady clock. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aggregator/base/unique_fd.h"
#include "aggregator/store/redis/url.h"
#include "lib/base/clock.h"

namespace kleptometrics::aggregator::redis {

class Socket {
 public:
  // Unavailable: no address of the host answers by then. The name is looked up in the time that the resolver takes.
  static absl::StatusOr<std::unique_ptr<Socket>> connect(const Url& url, Nanos deadline);

  // Moves what it can of `out` (taken off its front) and reads what there is into `in` (at least 1 byte unless the
  // peer is gone: Unavailable), at most `room`. Waits until one of the two is possible. `in_bytes`: how many were read.
  absl::Status exchange(std::string_view& out, char* in, std::size_t room, std::size_t& in_bytes, Nanos deadline);

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status wait(bool to_write, Nanos deadline);

  UniqueFd fd_;
};

}  // namespace kleptometrics::aggregator::redis
