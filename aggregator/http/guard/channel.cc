#include "aggregator/http/guard/channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace kleptometrics::aggregator::http::guard {
namespace {

using tls::Status;

tls::Progress progress_of(ssize_t result, Status wanted) {
  if (result > 0) return {Status::kDone, static_cast<std::size_t>(result)};
  if (result == 0) return {Status::kClosed, 0};
  if (errno == EAGAIN) return {wanted, 0};
  return {};
}

template <typename Call>
ssize_t uninterrupted(Call call) {
  ssize_t result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

tls::Progress write_some(Channel channel, const char* bytes, std::size_t size) {
  if (channel.tls != nullptr) return channel.tls->write(bytes, size);
  return progress_of(uninterrupted([&] { return ::send(channel.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT); }),
                     Status::kWantWrite);
}

}  // namespace

tls::Progress receive_some(Channel channel, char* into, std::size_t bytes) {
  if (channel.tls != nullptr) return channel.tls->read(into, bytes);
  return progress_of(uninterrupted([&] { return ::recv(channel.fd, into, bytes, MSG_DONTWAIT); }), Status::kWantRead);
}

bool send_some(Channel channel, const std::string& bytes, std::size_t& sent) {
  while (sent < bytes.size()) {
    const tls::Progress progress = write_some(channel, bytes.data() + sent, bytes.size() - sent);
    if (progress.status == Status::kDone) {
      sent += progress.bytes;
    } else {
      return progress.status == Status::kWantWrite || progress.status == Status::kWantRead;
    }
  }
  return true;
}

}  // namespace kleptometrics::aggregator::http::guard
