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
#include "lib/tls/context.h"
#include "lib/tls/stream.h"

namespace kleptometrics::aggregator::redis {

class Socket {
 public:
  // Unavailable: no address of the host answers by then, or TLS does not come about, the certificate being no good
  // among others. The name is looked up in the time that the resolver takes. `tls`: null without.
  static absl::StatusOr<std::unique_ptr<Socket>> connect(const Url& url, const tls::Context* tls, Nanos deadline);

  // Moves what it can of `out` (taken off its front) and reads what there is into `in` (at least 1 byte unless the
  // peer is gone: Unavailable), at most `room`. Waits until one of the two is possible. `in_bytes`: how many were read.
  absl::Status exchange(std::string_view& out, char* in, std::size_t room, std::size_t& in_bytes, Nanos deadline);

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status wait(bool to_write, Nanos deadline);
  absl::Status shake_hands(const tls::Context& tls, const std::string& host, Nanos deadline);
  // What was moved; 0: nothing now.
  absl::StatusOr<std::size_t> send(std::string_view out);
  absl::StatusOr<std::size_t> receive(char* in, std::size_t room);
  absl::StatusOr<std::size_t> moved(const tls::Progress& progress);

  UniqueFd fd_;
  std::unique_ptr<tls::Stream> stream_;  // over TLS
  bool wants_write_ = false;             // it waits for the socket to be writable
};

}  // namespace kleptometrics::aggregator::redis
