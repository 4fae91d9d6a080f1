#include "lib/http/pusher.h"

#include <utility>

namespace kleptometrics::http {

Pusher::Pusher(Endpoint to, Options options)
    : options_(std::move(options)), connection_(std::move(to), options_.ca_file) {
  head_ = "POST /api/v1/runs HTTP/1.1\r\nHost: " + endpoint().host_field() + "\r\nUser-Agent: " + options_.user_agent +
          "\r\nContent-Type: application/x-protobuf\r\n";
  if (!options_.api_key.empty()) head_ += "Authorization: Bearer " + options_.api_key + "\r\n";
}

bool Pusher::post(const std::string& body, Response* response, std::string* error) {
  const std::string request = head_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  // A kept connection may have been closed by the peer meanwhile; a push may safely be sent twice.
  if (connection_.is_open() && exchange(request, response, error)) return true;
  return connect(error) && exchange(request, response, error);
}

bool Pusher::connect(std::string* error) {
  const std::optional<std::chrono::seconds> in_all = options_.connect_time_in_all;
  const Deadline deadline = in_all ? std::chrono::steady_clock::now() + *in_all : Deadline::max();
  return connection_.open(options_.connect_time, deadline, error);
}

bool Pusher::exchange(const std::string& request, Response* response, std::string* error) {
  *response = {};
  const Deadline deadline = std::chrono::steady_clock::now() + options_.answer_time;
  if (!connection_.exchange(request, deadline, options_.answer_bytes_max, response, error)) return false;
  error->clear();
  return true;
}

}  // namespace kleptometrics::http
